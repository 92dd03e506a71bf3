import { beforeAll, expect, it } from 'vitest';
import { REDIRECT_PORT } from '../support/lab.ts';
import { describeInLab, flowOf, useGateway } from '../support/lab-suite.ts';

/** Addresses that the gateway answers on, but that its list of running interfaces does not hold. */
const UNLISTED = [
  ['an address of an interface without carrier', '203.0.113.1'],
  ['an IPv4 block that is routed as local', '203.0.113.200'],
  ['an IPv6 block that is routed as local', '2001:db8:4::1'],
] as const;

describeInLab('a client that comes straight to a transparent listener', suite => {
  beforeAll(async () => {
    const setUp = [
      'link add idle type veth peer name unplugged',
      'address add 203.0.113.1/25 dev idle',
      'link set idle up',
      'route add local 203.0.113.128/25 dev lo',
      'route add local 2001:db8:4::/64 dev lo',
    ];
    for (const command of setUp) {
      const { code, stderr } = await suite.lab.run('gateway', 'ip', command.split(' '));
      expect(code, stderr).toBe(0);
    }
  });
  // A loop would end at the limit.
  const gateway = useGateway(suite, { limits: { flows: 50 }, policy: { mode: 'observe', rules: [] } });

  it.each(UNLISTED)('is refused at %s, and makes no flow but its own', async (_what, to) => {
    const from = gateway().lines.length;
    const visit = () => suite.clients.tls(to, 'allowed.example', REDIRECT_PORT);
    const { decision } = await flowOf(gateway(), visit);
    expect(decision).toMatchObject({ dst_ip: null, action: 'deny', reason: 'destination_forbidden' });
    expect(gateway().lines.slice(from)).toHaveLength(2);
  });
});
