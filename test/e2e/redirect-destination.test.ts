import { describe, expect, it } from 'vitest';
import { V4, V6 } from '../support/lab.ts';
import { ACCESS_DENIED_ALERT, CURL } from '../support/lab-clients.ts';
import { describeInLab, flowOf, useGateway } from '../support/lab-suite.ts';

const policy = {
  mode: 'enforce',
  rules: [{ name: 'site', hosts: ['allowed.example', 'twice.example', 'moved.example'] }],
};

describeInLab('a redirected client that dials another address than its hostname has', suite => {
  describe('with destination: resolve', () => {
    const gateway = useGateway(suite, { policy });

    it.each([V4, V6])('is taken to the address of the name, never to $attacker', async family => {
      const spoof = () => suite.clients.tls(family.attacker, 'allowed.example');
      const { result, decision, close } = await flowOf(gateway(), spoof);
      expect([V4.site, V6.site], result.stderr).toContain(result.answer?.server);
      expect(decision).toMatchObject({ src_ip: family.client, action: 'allow' });
      expect(close.dst_ip).toBe(result.answer?.server);
    });

    it.each([V4, V6])('keeps $mirror where that is one of several addresses of the name', async family => {
      const visit = () => suite.clients.https('twice.example', family.mirror);
      const { result, decision } = await flowOf(gateway(), visit);
      expect(result.answer?.server, result.stderr).toBe(family.mirror);
      expect(decision).toMatchObject({ dst_ip: family.mirror, action: 'allow' });
    });

    it('is taken to where the name has moved', async () => {
      const { result } = await flowOf(gateway(), () => suite.clients.https('moved.example', V4.site));
      expect([V4.mirror, V6.mirror], result.stderr).toContain(result.answer?.server);
    });
  });

  describe('with destination: verify', () => {
    const gateway = useGateway(suite, { policy, destination: 'verify' });

    it.each([V4, V6])('is refused by an alert, and nothing reaches $attacker', async family => {
      const visit = () => flowOf(gateway(), () => suite.clients.https('allowed.example', family.site));
      const before = await visit();
      const spoof = () => suite.clients.tls(family.attacker, 'allowed.example');
      const { result, decision, close } = await flowOf(gateway(), spoof);
      const after = await visit();
      expect(result.answer).toBeNull();
      expect(result.stderr).toContain(ACCESS_DENIED_ALERT);
      expect(decision).toMatchObject({
        src_ip: family.client,
        dst_ip: family.attacker,
        hostname: 'allowed.example',
        state: 'DENIED',
        action: 'deny',
        reason: 'destination_mismatch',
        rule: 'site',
      });
      expect(close).toMatchObject({ end: 'refused', bytes_out: 0 });
      expect(after.result.answer?.connection).toBe((before.result.answer?.connection ?? Number.NaN) + 1);
    });

    it.each([V4, V6])('passes to $mirror, which is one of the addresses of the name', async family => {
      const visit = () => suite.clients.https('twice.example', family.mirror);
      const { result } = await flowOf(gateway(), visit);
      expect(result.answer?.server, result.stderr).toBe(family.mirror);
    });
  });

  describe('with destination: original', () => {
    const gateway = useGateway(suite, { policy, destination: 'original' });

    it.each([V4, V6])('gets what it dialled, $attacker', async family => {
      const spoof = () => suite.clients.tls(family.attacker, 'allowed.example');
      const { result, decision } = await flowOf(gateway(), spoof);
      expect(result.answer, result.stderr).toMatchObject({
        server: family.attacker,
        servername: 'allowed.example',
      });
      expect(decision).toMatchObject({ dst_ip: family.attacker, action: 'allow' });
    });

    it('is still held to the names of the policy', async () => {
      const visit = () => suite.clients.https('denied.example', V4.site);
      const { result, decision } = await flowOf(gateway(), visit);
      expect(result.code).not.toBe(CURL.ok);
      expect(decision).toMatchObject({ action: 'deny', reason: 'not_allowed' });
    });
  });
});
