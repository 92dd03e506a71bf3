import { describe, expect, it } from 'vitest';
import { REDIRECT_PORT, V4, V6 } from '../support/lab.ts';
import { describeInLab, flowOf, useGateway } from '../support/lab-suite.ts';

const rules = [{ name: 'site', hosts: ['allowed.example'] }];
/** Clients that come straight to the listener, by an address of the gateway on either side. */
const DIRECT = [
  { listener: `[::]:${REDIRECT_PORT}`, to: V4.lan, mode: 'enforce' },
  { listener: `[::]:${REDIRECT_PORT}`, to: V6.lan, mode: 'enforce' },
  { listener: `[::]:${REDIRECT_PORT}`, to: V4.wan, mode: 'observe' },
  { listener: `[::]:${REDIRECT_PORT}`, to: V6.wan, mode: 'observe' },
  { listener: `0.0.0.0:${REDIRECT_PORT}`, to: V4.lan, mode: 'enforce' },
  { listener: `0.0.0.0:${REDIRECT_PORT}`, to: V4.wan, mode: 'observe' },
];

describeInLab('a gateway that is its own destination', suite => {
  describe.each(DIRECT)('with a listener on $listener, in $mode mode', ({ listener, to, mode }) => {
    const gateway = useGateway(suite, { address: listener, policy: { mode, rules } });

    it(`refuses a client that was not redirected, to ${to}`, async () => {
      const visit = () => suite.clients.tls(to, 'allowed.example', REDIRECT_PORT);
      const { result, decision, close } = await flowOf(gateway(), visit);
      expect(result.answer).toBeNull();
      expect(decision).toMatchObject({
        src_ip: to.includes(':') ? V6.client : V4.client,
        dst_ip: null,
        state: 'DENIED',
        action: 'deny',
        reason: 'destination_forbidden',
      });
      expect(close).toMatchObject({ end: 'refused', bytes_out: 0 });
      await expectNoOther(decision.flow);
    });

    it(`makes one flow, not a circle of them, of a client redirected on its way to ${to}`, async () => {
      const { result, decision } = await flowOf(gateway(), () => suite.clients.tls(to, 'other.example'));
      expect(result.answer).toBeNull();
      expect(decision).toMatchObject({ dst_ip: to, dst_port: 443, reason: 'not_allowed' });
      await expectNoOther(decision.flow);
    });

    /** A flow that a flow had made would have been said before one that began later. */
    async function expectNoOther(flow: unknown): Promise<void> {
      const from = gateway().lines.findIndex(line => line.flow === flow);
      await flowOf(gateway(), () => suite.clients.https('allowed.example', V4.site));
      const decisions = gateway()
        .lines.slice(from)
        .filter(line => line.event === 'decision');
      expect(decisions.map(line => line.hostname).slice(1)).toEqual(['allowed.example']);
    }
  });
});
