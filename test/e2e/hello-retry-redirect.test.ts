import { afterAll, beforeAll, expect, it } from 'vitest';
import { toRecords } from '../support/client-hello.ts';
import { helloWithShare } from '../support/key-share-hello.ts';
import { V4 } from '../support/lab.ts';
import { describeInLab, useGateway } from '../support/lab-suite.ts';
import { type LabPeer, LabWire } from '../support/lab-wire.ts';
import { RETRY_BYTES, RetryingServer } from '../support/openssl-server.ts';
import { Scope } from '../support/scope.ts';

const PORT = 8443;
const LISTENER = 15444;
const RULES = `table inet lab {
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "lan" tcp dport ${PORT} redirect to :${LISTENER}
  }
}
`;
const FIRST = toRecords(helloWithShare('allowed.example', 'x25519'));
const SAME = toRecords(helloWithShare('allowed.example', 'secp384r1'));
const OTHER = toRecords(helloWithShare('denied.example', 'secp384r1'));

describeInLab(
  'an OpenSSL server that asks for another key share, behind REDIRECT',
  suite => {
    const scope = new Scope();
    const rules = [{ name: 'site', hosts: ['allowed.example'], ports: [PORT] }];
    const gateway = useGateway(suite, {
      address: `0.0.0.0:${LISTENER}`,
      policy: { mode: 'enforce', rules },
    });
    let server: RetryingServer;
    let clients: LabWire;

    beforeAll(async () => {
      server = await RetryingServer.start(scope, `${V4.site}:${PORT}`, (command, args) =>
        suite.lab.spawn('server', command, args),
      );
      clients = await LabWire.client(suite.lab, 'client');
    });
    afterAll(() => scope.close());

    async function openToRetry(): Promise<LabPeer> {
      const client = await clients.dial(V4.site, PORT);
      await client.send(FIRST);
      await client.atLeast(RETRY_BYTES);
      return client;
    }

    it('is not forwarded a second hello for another name', async () => {
      const before = server.hellos;
      const client = await openToRetry();
      await client.send(OTHER);
      expect(await client.end()).toBe('reset');
      const { close } = await gateway().flow(client.port);
      expect(close).toMatchObject({ end: 'name_mismatch', bytes_out: FIRST.length });
      const next = await openToRetry();
      next.finish();
      await gateway().flow(next.port);
      expect(await server.namesFrom(before, 2)).toEqual(['allowed.example', 'allowed.example']);
    });

    it('is forwarded a second hello for the same name', async () => {
      const client = await openToRetry();
      const asked = client.received;
      await client.send(SAME);
      await client.atLeast(asked + 500);
      client.finish();
      const { close } = await gateway().flow(client.port);
      expect(close).toMatchObject({ bytes_out: FIRST.length + SAME.length });
    });

    it('serves openssl s_client', async () => {
      const trust = ['-CAfile', server.certificatePath, '-verify_return_error'];
      const name = ['-servername', 'allowed.example', '-groups', 'X25519:P-384'];
      const { stdout, stderr } = await suite.lab.run(
        'client',
        'openssl',
        ['s_client', '-quiet', ...name, ...trust, '-connect', `${V4.site}:${PORT}`],
        'GET / HTTP/1.0\r\n\r\n',
      );
      expect(stdout, stderr).toContain('HTTP/1.0 200');
    });
  },
  RULES,
);
