import { beforeAll, describe, expect, it } from 'vitest';
import { addRouting, routingFamilies } from '../../src/gateway/policy-routing.ts';
import { renderNft } from '../../src/gateway/render.ts';
import { buildRuleset } from '../../src/gateway/ruleset.ts';
import { loadScript } from '../../src/gateway/script.ts';
import { listener, planOf } from '../gateway/support.ts';
import { REDIRECT_PORT, V4, V6 } from '../support/lab.ts';
import { ACCESS_DENIED_ALERT, CURL } from '../support/lab-clients.ts';
import { loadText } from '../support/lab-netfilter.ts';
import { describeInLab, flowOf, useGateway } from '../support/lab-suite.ts';

const policy = { mode: 'enforce', rules: [{ name: 'site', hosts: ['allowed.example', 'moved.example'] }] };
const FAMILIES = [V4, V6];

describeInLab(
  'a transparent listener behind TPROXY',
  suite => {
    beforeAll(async () => {
      const plan = planOf({
        listeners: [
          listener({ port: REDIRECT_PORT, intercept: 'tproxy', ports: [443], interfaces: ['lan'] }),
        ],
      });
      const rules = renderNft(buildRuleset(plan));
      await loadText(suite.lab, loadScript(rules, addRouting(routingFamilies(plan))), 'sh');
    });

    describe('with an address of its own towards upstreams', () => {
      const gateway = useGateway(suite, { policy, listener: { intercept: 'tproxy' } });

      it.each(FAMILIES)('forwards $client to an allowed name', async family => {
        const { result, decision } = await flowOf(gateway(), () =>
          suite.clients.https('allowed.example', family.site),
        );
        expect(result.code, result.stderr).toBe(CURL.ok);
        expect(result.answer).toMatchObject({ server: family.site, peer: family.wan });
        expect(decision).toMatchObject({
          src_ip: family.client,
          dst_ip: family.site,
          dst_port: 443,
          hostname: 'allowed.example',
          action: 'allow',
        });
        expect(decision).not.toHaveProperty('dst_mismatch');
      });

      it('dials what it resolved, and says that the client dialled another', async () => {
        const { result, decision } = await flowOf(gateway(), () =>
          suite.clients.https('moved.example', V4.attacker),
        );
        expect(result.answer).toMatchObject({ server: V4.mirror });
        expect(decision).toMatchObject({ dst_ip: V4.mirror, action: 'allow', dst_mismatch: true });
      });

      it.each(FAMILIES)('refuses $client a denied name by an alert', async family => {
        const { result, decision } = await flowOf(gateway(), () =>
          suite.clients.tls(family.site, 'denied.example'),
        );
        expect(result.stderr).toContain(ACCESS_DENIED_ALERT);
        expect(decision).toMatchObject({ dst_ip: family.site, action: 'deny', reason: 'not_allowed' });
      });

      it('refuses a client that came to the listener itself', async () => {
        const { decision } = await flowOf(gateway(), () =>
          suite.lab.run('client', 'curl', ['-sk', '-m', '5', `https://${V4.lan}:${REDIRECT_PORT}/`]),
        );
        expect(decision).toMatchObject({ action: 'deny', reason: 'destination_forbidden' });
      });
    });

    describe("with the client's address towards upstreams", () => {
      const rules = [{ name: 'site', hosts: ['allowed.example', 'plain.example'] }];
      const keeping = { intercept: 'tproxy', sourceAddress: 'keep' };
      useGateway(suite, { policy: { mode: 'enforce', rules }, listener: keeping });

      it.each(FAMILIES)('the server sees $client', async family => {
        const { code, answer, stderr } = await suite.clients.https('allowed.example', family.site);
        expect(code, stderr).toBe(CURL.ok);
        expect(answer).toMatchObject({ server: family.site, peer: family.client });
      });

      it.each(FAMILIES)('the server sees $client in plain HTTP, too', async family => {
        const hosts = ['plain.example', 'plain.example', 'denied.example'];
        const { statuses, body } = await suite.clients.httpKept(family.plain, hosts);
        expect(statuses).toEqual(['200@1', '200@0', '403@0']);
        expect(body.split(`"peer":"${family.client}"`)).toHaveLength(3);
      });
    });

    describe("with the client's address towards upstreams, observing", () => {
      const keeping = { intercept: 'tproxy', sourceAddress: 'keep' };
      const gateway = useGateway(suite, { policy: { ...policy, mode: 'observe' }, listener: keeping });

      it.each(FAMILIES)('the server sees $client in what cannot be judged', async family => {
        const { result, decision } = await flowOf(gateway(), () =>
          suite.clients.says(family.plain, 'GET / HTTP/1.0\r\n\r\n'),
        );
        expect(result.stdout).toContain(`"peer":"${family.client}"`);
        expect(decision).toMatchObject({ action: 'would-deny', reason: 'malformed_request' });
      });
    });
  },
  'table inet lab {}\n',
);

describeInLab('observe mode on a transparent listener', suite => {
  const gateway = useGateway(suite, { policy: { ...policy, mode: 'observe' } });

  it.each(FAMILIES)(
    'dials what $client dialled, and says that enforcing would dial another',
    async family => {
      const { result, decision } = await flowOf(gateway(), () =>
        suite.clients.https('moved.example', family.attacker),
      );
      expect(result.answer).toMatchObject({ server: family.attacker });
      expect(decision).toMatchObject({
        dst_ip: family.attacker,
        state: 'MATCHED',
        action: 'allow',
        dst_mismatch: true,
      });
    },
  );

  it('does not say so of an address that the name has', async () => {
    const { decision } = await flowOf(gateway(), () => suite.clients.https('allowed.example', V4.site));
    expect(decision).not.toHaveProperty('dst_mismatch');
  });
});
