import { describe, expect, it } from 'vitest';
import { REDIRECT_PORT, V4, V6 } from '../support/lab.ts';
import { ACCESS_DENIED_ALERT, CURL } from '../support/lab-clients.ts';
import { describeInLab, flowOf, useGateway } from '../support/lab-suite.ts';

const policy = { mode: 'enforce', rules: [{ name: 'site', hosts: ['allowed.example', 'plain.example'] }] };

const LISTENERS = [
  { address: `[::]:${REDIRECT_PORT}`, families: [V4, V6] },
  { address: `0.0.0.0:${REDIRECT_PORT}`, families: [V4] },
];

describeInLab('a transparent listener behind REDIRECT', suite => {
  describe.each(LISTENERS)('on $address', ({ address, families }) => {
    const gateway = useGateway(suite, { address, policy });

    it.each(families)('forwards $client to an allowed name, from its own address', async family => {
      const { result, decision, close } = await flowOf(gateway(), () =>
        suite.clients.https('allowed.example', family.site),
      );
      expect(result.code, result.stderr).toBe(CURL.ok);
      expect(result.answer).toMatchObject({
        server: family.site,
        peer: family.wan,
        servername: 'allowed.example',
      });
      const identity = {
        listener: 'gw',
        src_ip: family.client,
        dst_ip: family.site,
        dst_port: 443,
        hostname: 'allowed.example',
        protocol: 'tls',
      };
      expect(decision).toMatchObject({
        ...identity,
        state: 'MATCHED',
        action: 'allow',
        reason: null,
        rule: 'site',
      });
      expect(close).toMatchObject(identity);
      expect(close.bytes_in).toBeGreaterThan(0);
    });

    it.each(families)('refuses $client a denied name by an alert, and dials nothing', async family => {
      const visit = () => flowOf(gateway(), () => suite.clients.https('allowed.example', family.site));
      const before = await visit();
      const denied = await flowOf(gateway(), () => suite.clients.tls(family.site, 'denied.example'));
      const after = await visit();
      expect(denied.result.code).not.toBe(0);
      expect(denied.result.stderr).toContain(ACCESS_DENIED_ALERT);
      expect(denied.decision).toMatchObject({
        src_ip: family.client,
        dst_ip: family.site,
        dst_port: 443,
        hostname: 'denied.example',
        state: 'NO_MATCH',
        action: 'deny',
        reason: 'not_allowed',
      });
      expect(denied.close).toMatchObject({ end: 'refused', bytes_out: 0, bytes_in: 0 });
      expect(after.result.answer?.connection).toBe((before.result.answer?.connection ?? Number.NaN) + 1);
    });

    it.each(families)('refuses $client a hello without a name', async family => {
      const { result, decision } = await flowOf(gateway(), () => suite.clients.tls(family.site, null));
      expect(result.answer).toBeNull();
      expect(decision).toMatchObject({ hostname: null, action: 'deny', reason: 'no_hostname' });
    });

    it.each(families)('refuses $client plain HTTP to an address', async family => {
      const { result, decision } = await flowOf(gateway(), () => suite.clients.http(family.plain));
      expect(result).toMatchObject({ code: CURL.ok, answer: null });
      expect(decision).toMatchObject({ dst_ip: family.plain, action: 'deny', reason: 'no_hostname' });
    });

    it.each(families)('judges each request of $client in plain HTTP, on one connection', async family => {
      const from = gateway().lines.length;
      const { statuses, body } = await suite.clients.httpKept(family.plain, [
        'plain.example',
        'plain.example',
        'denied.example',
        'plain.example',
      ]);
      // The refusal ends the connection: what comes after it has one of its own.
      expect(statuses).toEqual(['200@1', '200@0', '403@0', '200@1']);
      expect(body).toContain('refused denied.example:443: not_allowed');
      const closes = await gateway().collect(line => line.event === 'close', 3, from);
      expect(closes).toHaveLength(3);
      const decisions = gateway()
        .lines.slice(from)
        .filter(line => line.event === 'decision');
      expect(decisions).toMatchObject([
        { hostname: 'plain.example', protocol: 'http', action: 'allow', rule: 'site', dst_ip: family.plain },
        {
          hostname: 'denied.example',
          protocol: 'http',
          action: 'deny',
          reason: 'not_allowed',
          dst_port: 443,
        },
        { hostname: 'plain.example', protocol: 'http', action: 'allow' },
      ]);
    });
  });

  describe('on an IPv4 address alone', () => {
    useGateway(suite, { address: `0.0.0.0:${REDIRECT_PORT}`, policy });

    it('lets no IPv6 past', async () => {
      const { code } = await suite.clients.https('allowed.example', V6.site);
      expect(code).toBe(CURL.cannotConnect);
    });
  });
});
