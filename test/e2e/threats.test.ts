import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  buildClientHello,
  buildHandshake,
  concat,
  serverNameExtension,
  text,
  toRecords,
} from '../support/client-hello.ts';
import { type FlowRecords, TestDaemon } from '../support/daemon.ts';
import { pairRecords } from '../support/egress.ts';
import { V4, V6 } from '../support/lab.ts';
import { loadNetfilter } from '../support/lab-netfilter.ts';
import { describeInLab, flowOf, useGateway } from '../support/lab-suite.ts';
import { askUdp } from '../support/lab-udp.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { buildHelloRetryRequest } from '../support/server-hello.ts';
import { connectRequest, openTunnel } from '../support/tunnel.ts';
import { freePort, Upstream } from '../support/upstream.ts';

// The ways in which filters of this kind are bypassed or broken, one `describe` a threat, each by its shortest example.
// What holds in all its variants is in the suites that the comments name.

/** Where a name must never lead, in the forms that hide it. */
const INSIDE: Readonly<Record<string, string>> = {
  'loopback.example': '127.0.0.2',
  'loopback6.example': '::1',
  'mapped.example': '::ffff:127.0.0.2',
  'compatible.example': '::127.0.0.2',
  'nat64.example': '64:ff9b::7f00:2',
  'sixtofour.example': '2002:7f00:2::1',
  'metadata.example': '169.254.169.254',
  'metadata6.example': 'fd00:ec2::254',
  'private.example': '10.0.0.5',
};
const LONG = 65_536;

describePlanes('threat', dataplane => {
  const scope = new Scope();
  let upstream: Upstream;
  let daemon: TestDaemon;
  let folding: TestDaemon;

  beforeAll(async () => {
    upstream = await Upstream.listen();
    scope.defer(() => upstream.close());
    const proxyPort = await freePort();
    const rules = [
      {
        name: 'allowed',
        hosts: ['allowed.example', '*.wild.example', ...Object.keys(INSIDE)],
        ports: [upstream.port],
      },
      { name: 'loop', hosts: ['loop.example'], ports: [proxyPort] },
    ];
    const config = {
      dataplane,
      workers: 1,
      listeners: [
        { name: 'proxy', kind: 'explicit', address: `127.0.0.1:${proxyPort}` },
        { name: 'tls', kind: 'sni', address: '127.0.0.1:0', upstreamPort: upstream.port },
      ],
      dns: { hosts: { 'allowed.example': '127.0.0.1', 'loop.example': '127.0.0.1', ...INSIDE } },
      destinations: { allow: ['127.0.0.1/32'] },
      limits: { helloTimeout: '500ms' },
    };
    daemon = await TestDaemon.start({ policy: { mode: 'enforce', rules }, config });
    scope.defer(() => daemon.kill());
    const listeners = [{ name: 'tls', kind: 'sni', address: '127.0.0.1:0', upstreamPort: upstream.port }];
    folding = await TestDaemon.start({
      policy: { mode: 'enforce', rules },
      config: { ...config, listeners, log: { fold: '1h' } },
    });
    scope.defer(() => folding.kill());
  });
  afterAll(async () => {
    expect(daemon.otherOutput).toEqual([]);
    await scope.close();
    pairRecords(daemon.lines);
  });

  /** Says bytes to a listener and waits to be refused: nothing may have gone upstream. */
  async function refused(client: Peer, ...pieces: readonly Uint8Array[]): Promise<FlowRecords> {
    scope.defer(() => client.socket.destroy());
    const before = upstream.peers.length;
    for (const piece of pieces) await client.send(piece);
    await client.end();
    const records = await daemon.flow(client.port);
    expect(records.decision).toMatchObject({ action: 'deny' });
    expect(records.close).toMatchObject({ end: 'refused', bytes_out: 0 });
    expect(upstream.peers.length).toBe(before);
    return records;
  }

  const atSni = async (...pieces: readonly Uint8Array[]) =>
    refused(await Peer.dial(daemon.port('tls')), ...pieces);
  const atProxy = async (request: string) => refused(await Peer.dial(daemon.port('proxy')), text(request));

  // hello-retry.test.ts, hello-retry-openssl.test.ts, hello-retry-redirect.test.ts; fuzz target hello-retry
  describe('1: a second ClientHello names another host', () => {
    it('it is not forwarded', async () => {
      const first = buildClientHello();
      const client = await Peer.dial(daemon.port('tls'));
      const index = upstream.peers.length;
      await client.send(first);
      const server = await upstream.peer(index);
      await server.send(buildHelloRetryRequest());
      await client.atLeast(1);
      await client.send(buildClientHello({ serverName: 'denied.example' }));
      expect(await client.end()).toBe('reset');
      expect((await daemon.flow(client.port)).close).toMatchObject({
        end: 'name_mismatch',
        bytes_out: first.length,
      });
    });
  });

  // adversarial.test.ts, adversarial-redirect.test.ts; fuzz target client-hello
  describe('2: a hello is split over TLS records and segments', () => {
    it('its name is read whole', async () => {
      const handshake = buildHandshake({ serverName: 'x.wild.example.denied.example' });
      for (const cuts of [[handshake.length - 1], [1], Array.from(handshake, (_, i) => i)]) {
        const stream = toRecords(handshake, cuts);
        const { decision } = await atSni(
          ...Array.from(stream, byte => Uint8Array.of(byte)).slice(0, 70),
          stream.slice(70),
        );
        expect(decision).toMatchObject({ hostname: 'x.wild.example.denied.example', reason: 'not_allowed' });
      }
    });
  });

  // test/tls-sni/client-hello.test.ts
  describe('3: a hello says two things at once', () => {
    const [good, bad] = [serverNameExtension('allowed.example'), serverNameExtension('denied.example')];
    it.each([
      ['two names, the allowed one first', buildClientHello({ extensions: [good, bad] })],
      ['two names, the allowed one last', buildClientHello({ extensions: [bad, good] })],
      ['lengths that do not add up', buildClientHello({ extensionsLength: 20 })],
      ['bytes behind its end', buildClientHello({ tail: Uint8Array.of(0) })],
    ])('%s: it is refused', async (_, hello) => {
      expect((await atSni(hello)).decision).toMatchObject({ hostname: null, reason: 'malformed_hello' });
    });
  });

  // test/tls-sni/hostname.test.ts
  describe('4: a name is no hostname, or stands for an address', () => {
    it.concurrent.each([
      'allowed.example.',
      'allowed.example\0.denied.example',
      '127.0.0.1',
      '127.1',
      '0x7f000001',
      '2130706433',
    ])('%j is refused', async name => {
      const { decision } = await atSni(buildClientHello({ serverName: name }));
      expect(decision).toMatchObject({ hostname: null, reason: 'malformed_hello' });
    });

    it('the Kelvin sign is no k', async () => {
      const kelvin = Uint8Array.from(Buffer.from('\u212a.wild.example'));
      expect((await atSni(buildClientHello({ serverName: kelvin }))).decision).toMatchObject({
        hostname: null,
      });
    });
  });

  // test/observe/escape.test.ts, test/flow-log/hostile.test.ts; fuzz target log
  describe('5: a name forges a line of the log', () => {
    it.each(['"', 'a"\n{"event":"decision","action":"allow"}\n', 'a state=MATCHED', '\u001b[2K\ra'])(
      '%j leaves one decision and one close, and nothing of itself',
      async name => {
        const from = daemon.lines.length;
        await atSni(buildClientHello({ serverName: name }));
        const lines = daemon.lines.slice(from);
        expect(lines.map(({ event }) => event)).toEqual(['decision', 'close']);
        expect(lines.map(({ action = 'none' }) => action)).toEqual(['deny', 'none']);
        expect(daemon.otherOutput).toEqual([]);
      },
    );
  });

  // adversarial-http.test.ts, test/dataplane/http/smuggling-*.test.ts; fuzz targets sniffers and peers
  describe('6: an HTTP request names two hosts', () => {
    it.each([
      ['two Host lines', 'GET / HTTP/1.1\r\nHost: allowed.example\r\nHost: denied.example\r\n\r\n'],
      [
        'a target beside its Host line',
        'GET http://denied.example/ HTTP/1.1\r\nHost: allowed.example\r\n\r\n',
      ],
      ['HTTP/2.0 in the syntax of HTTP/1', 'GET / HTTP/2.0\r\nHost: allowed.example\r\n\r\n'],
      [
        'two lengths',
        'POST / HTTP/1.1\r\nHost: allowed.example\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n',
      ],
    ])('%s: it is refused', async (_, request) => {
      expect((await atSni(text(request))).decision).toMatchObject({ hostname: null });
    });
  });

  // test/e2e/dial.test.ts, test/dataplane/flow-lives-connect.test.ts
  describe('7: a tunnel is asked for one host and used for another', () => {
    it.each(['connect', 'socks5'] as const)(
      'by %s: nothing is dialled, and no byte of a server comes back',
      async route => {
        const client = await openTunnel(route, daemon.port('proxy'), 'allowed.example', upstream.port);
        const granted = client.received;
        const { decision } = await refused(client, buildClientHello({ serverName: 'x.wild.example' }));
        expect(decision).toMatchObject({ reason: 'name_mismatch' });
        // The alert is ours.
        expect(client.bytes.subarray(granted)).toEqual(Buffer.from([21, 3, 3, 0, 2, 2, 49]));
      },
    );
  });

  // test/resolve/guard.test.ts; fuzz target resolver
  describe('9: an allowed name leads inside', () => {
    it.concurrent.each(Object.entries(INSIDE))('%s at %s is not dialled', async name => {
      const { decision } = await atSni(buildClientHello({ serverName: name }));
      expect(decision).toMatchObject({ hostname: name, state: 'DENIED', reason: 'destination_forbidden' });
    });
  });

  // test/dataplane/hello-reader.test.ts
  describe('10: what cannot be read is forwarded', () => {
    it.each([
      ['a hello of garbage', concat(Uint8Array.of(22, 3, 1, 0, 9, 1, 0, 0, 5), new Uint8Array(5))],
      ['another record first', Uint8Array.of(21, 3, 1, 0, 2, 1, 0)],
      ['something that is not TLS', text('SSH-2.0-client\r\n')],
      ['a hello larger than the bound', toRecords(buildHandshake({ tail: new Uint8Array(LONG) }))],
    ])('%s: it is refused', async (_, bytes) => {
      await atSni(bytes);
    });
  });

  // test/dataplane/flow-lives-sni.test.ts
  describe('11: Encrypted Client Hello hides the name', () => {
    it('it is refused, and said', async () => {
      const { decision } = await atSni(buildClientHello({ ech: true }));
      expect(decision).toMatchObject({ hostname: 'allowed.example', reason: 'ech', ech: true });
    });
  });

  // redirect-loop.test.ts
  describe('13: the proxy is asked for itself', () => {
    it('by a name that may be reached: it dials none of its own listeners', async () => {
      const { decision } = await atProxy(connectRequest(`loop.example:${daemon.port('proxy')}`));
      expect(decision).toMatchObject({ hostname: 'loop.example', reason: 'destination_forbidden' });
    });
  });

  // test/dataplane/http/floods.test.ts, test/observe/flow-fold.test.ts
  describe('14: floods and clients that stall', () => {
    it('a hello that comes byte by byte and never ends is given up', async () => {
      const hello = buildClientHello();
      const { decision } = await atSni(...Array.from(hello.slice(0, -1), byte => Uint8Array.of(byte)));
      expect(decision).toMatchObject({ reason: 'hello_timeout' });
    });

    it('a hundred refusals of one name are a few lines, and no metric has a name', async () => {
      const hello = buildClientHello({ serverName: 'flood.example' });
      const visit = async () => {
        const client = await Peer.dial(folding.port('tls'));
        await client.send(hello);
        await client.end();
        client.socket.destroy();
      };
      for (let i = 0; i < 10; i++) await Promise.all(Array.from({ length: 10 }, visit));
      const response = await fetch(`${folding.admin}/metrics`);
      expect(await response.text()).not.toContain('flood.example');
      await folding.stop();
      const decisions = folding.lines.filter(line => line.event === 'decision');
      expect(decisions.length).toBeLessThan(10);
      const said = decisions.reduce((sum, { suppressed }) => sum + 1 + Number(suppressed ?? 0), 0);
      expect(said).toBe(100);
    });
  });
});

const LAB_RULES = [{ name: 'site', hosts: ['allowed.example'] }];

describeInLab('threat', suite => {
  const gateway = useGateway(suite, { policy: { mode: 'enforce', rules: LAB_RULES } });

  // redirect-destination.test.ts
  describe('8: an allowed name is said to the address of somebody else', () => {
    it.each([V4, V6])('the flow goes to the host of the name, not to $attacker', async family => {
      const { result } = await flowOf(gateway(), () => suite.clients.tls(family.attacker, 'allowed.example'));
      expect([V4.site, V6.site], result.stderr).toContain(result.answer?.server);
    });
  });

  // netfilter-gateway.test.ts
  describe('12: QUIC goes past a filter of TCP', () => {
    beforeAll(() => loadNetfilter(suite.lab, gateway().configPath, ['--interface', 'lan']));

    it.each([V4, V6])('the generated rules refuse UDP 443 of $client at once', async family => {
      expect(await askUdp(suite.lab, 'client', family.site, 443)).toBe('ECONNREFUSED');
    });
  });
});
