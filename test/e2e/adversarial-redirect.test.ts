import { beforeAll, expect, it } from 'vitest';
import {
  ADVERSARIAL_HOSTS,
  type AdversarialCase,
  directCases,
  sendSegments,
} from '../support/adversarial-cases.ts';
import { pairRecords } from '../support/egress.ts';
import { V4 } from '../support/lab.ts';
import { describeInLab, useGateway } from '../support/lab-suite.ts';
import { type LabPeer, LabWire } from '../support/lab-wire.ts';

const PORT = 8443;
const LISTENER = 15444;
const RULES = `table inet lab {
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "lan" tcp dport ${PORT} redirect to :${LISTENER}
  }
}
`;

describeInLab(
  'hostile and odd openings at a transparent listener',
  suite => {
    const gateway = useGateway(suite, {
      address: `0.0.0.0:${LISTENER}`,
      destination: 'original',
      limits: { helloTimeout: '1s' },
      policy: {
        mode: 'enforce',
        rules: [{ name: 'corpus', hosts: ADVERSARIAL_HOSTS, ports: [PORT] }],
      },
    });
    let clients: LabWire;
    let upstream: LabWire;
    let flows = 0;
    let served = 0;

    beforeAll(async () => {
      clients = await LabWire.client(suite.lab, 'client');
      upstream = await LabWire.listen(suite.lab, 'server', V4.site, PORT);
    });

    async function open(one: AdversarialCase): Promise<LabPeer> {
      flows++;
      const client = await clients.dial(V4.site, PORT);
      await sendSegments(client, one);
      return client;
    }

    const cases = directCases();

    it.concurrent.each(cases.filter(({ verdict }) => verdict !== 'allow'))(
      '$id $desc: $verdict',
      async one => {
        const client = await open(one);
        await client.end();
        const { decision, close } = await gateway().flow(client.port);
        expect(decision).toMatchObject({ action: 'deny' });
        expect(decision.reason === 'hello_timeout').toBe(one.verdict === 'timeout');
        expect(close).toMatchObject({ end: 'refused', bytes_out: 0, bytes_in: 0 });
        client.finish();
        expect(upstream.peers).toEqual([]);
      },
    );

    it.each(cases.filter(({ verdict }) => verdict === 'allow'))('$id $desc: $verdict', async one => {
      const client = await open(one);
      const server = await Promise.race([upstream.peer(served), client.end().then(() => null)]);
      if (server === null) throw new Error(`refused: ${JSON.stringify(await gateway().flow(client.port))}`);
      served++;
      expect((await server.atLeast(one.stream.length)).equals(one.stream)).toBe(true);
      client.finish();
      server.finish();
      const { decision, close } = await gateway().flow(client.port);
      expect(decision).toMatchObject({ action: 'allow', rule: 'corpus', dst_ip: V4.site });
      expect(close).toMatchObject({ bytes_out: one.stream.length, bytes_in: 0 });
    });

    it('no opening has forged, broken or lost a log line', () => {
      expect(gateway().otherOutput).toEqual([]);
      const pairs = pairRecords(gateway().lines);
      expect(pairs).toHaveLength(flows);
      expect(pairs.filter(({ decision }) => decision.action === 'allow')).toHaveLength(served);
      expect(upstream.peers).toHaveLength(served);
    });
  },
  RULES,
);
