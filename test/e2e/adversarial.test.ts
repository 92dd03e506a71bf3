import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ADVERSARIAL_HOSTS,
  type AdversarialCase,
  directCases,
  sendSegments,
  tunnelledCases,
  verdictOf,
} from '../support/adversarial-cases.ts';
import { buildClientHello } from '../support/client-hello.ts';
import { readAdversarial } from '../support/corpus.ts';
import { TestDaemon } from '../support/daemon.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { pairRecords } from '../support/egress.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { CONNECT_GRANTED, connectRequest, openTunnel } from '../support/tunnel.ts';
import { Upstream } from '../support/upstream.ts';

/** Inner streams that the fixture names but does not hold. */
const OTHER_INNER: Readonly<Record<string, Uint8Array>> = {
  H11: buildClientHello({ serverName: null }),
  R14: buildClientHello({ cuts: [1, 60, 61] }),
};

const tlsRows = readAdversarial('adversarial.jsonl');
const connectRows = readAdversarial('adversarial_http.jsonl').filter(row => row.cat === 'connect');

describePlanes('hostile and odd openings', dataplane => {
  const scope = new Scope();
  let daemon: TestDaemon;
  let upstream: Upstream;
  let flows = 0;
  let served = 0;

  beforeAll(async () => {
    upstream = await Upstream.listen();
    scope.defer(() => upstream.close());
    const dns = await startDnsServer(({ type }) =>
      type === 'A' ? [{ type, data: '127.0.0.1', ttl: 60 }] : [],
    );
    scope.defer(() => dns.close());
    daemon = await TestDaemon.start({
      policy: {
        mode: 'enforce',
        rules: [{ name: 'corpus', hosts: ADVERSARIAL_HOSTS, ports: [80, 443, upstream.port] }],
      },
      config: {
        dataplane,
        workers: 2,
        listeners: [
          { name: 'proxy', kind: 'explicit', address: '127.0.0.1:0' },
          { name: 'tls', kind: 'sni', address: '127.0.0.1:0', upstreamPort: upstream.port },
        ],
        dns: { servers: [dns.server] },
        destinations: { allow: ['127.0.0.0/8'] },
        limits: { helloTimeout: '1s' },
      },
    });
    scope.defer(() => daemon.kill());
  });
  afterAll(() => scope.close());

  async function dial(listener: string): Promise<Peer> {
    flows++;
    const peer = await Peer.dial(daemon.port(listener));
    scope.defer(() => peer.socket.destroy());
    return peer;
  }

  /** Holds what becomes of a flow against its verdict. */
  async function judge(
    client: Peer,
    { verdict, stream }: Pick<AdversarialCase, 'verdict' | 'stream'>,
  ): Promise<void> {
    if (verdict === 'allow') {
      const server = await Promise.race([upstream.peer(served), client.end().then(() => null)]);
      if (server === null)
        throw new Error(`refused: ${JSON.stringify((await daemon.flow(client.port)).decision)}`);
      served++;
      expect((await server.atLeast(stream.length)).equals(stream)).toBe(true);
      client.finish();
      server.finish();
      const { decision, close } = await daemon.flow(client.port);
      expect(decision).toMatchObject({ action: 'allow', rule: 'corpus', dst_ip: '127.0.0.1' });
      expect(close).toMatchObject({ bytes_out: stream.length, bytes_in: 0 });
      expect(server.received).toBe(stream.length);
    } else {
      await client.end();
      const { decision, close } = await daemon.flow(client.port);
      expect(decision).toMatchObject({ action: 'deny' });
      expect(decision.reason === 'hello_timeout').toBe(verdict === 'timeout');
      expect(close).toMatchObject({ end: 'refused', bytes_out: 0, bytes_in: 0 });
    }
    expect(upstream.peers.length).toBe(served);
  }

  /** What is refused leaves nothing behind that others could meet, so some of it at a time. */
  function testAll(cases: readonly AdversarialCase[], run: (one: AdversarialCase) => Promise<void>): void {
    it.concurrent.each(cases.filter(({ verdict }) => verdict !== 'allow'))('$id $desc: $verdict', run);
    it.each(cases.filter(({ verdict }) => verdict === 'allow'))('$id $desc: $verdict', run);
  }

  describe('at the sni listener', () => {
    testAll(directCases(), async one => {
      const client = await dial('tls');
      await sendSegments(client, one);
      await judge(client, one);
    });
  });

  describe.each(['connect', 'socks5'] as const)('in a tunnel to allowed.example by %s', route => {
    testAll(tunnelledCases(), async one => {
      flows++;
      const client = await openTunnel(route, daemon.port('proxy'), 'allowed.example', upstream.port);
      scope.defer(() => client.socket.destroy());
      await sendSegments(client, one);
      await judge(client, one);
    });
  });

  describe('as CONNECT request', () => {
    it.each(connectRows)('$id $desc: $expect', async row => {
      const head = Buffer.from(row.stream).toString('latin1').replaceAll('443', String(upstream.port));
      const inner = innerStream(row.inner_id);
      const client = await dial('proxy');
      const isOneSegment = row.id === 'K13';
      const bytes = Buffer.from(head, 'latin1');
      await client.send(isOneSegment ? Buffer.concat([bytes, inner]) : bytes);
      if (!isOneSegment && inner.length > 0) {
        const isGranted = await client.atLeast(CONNECT_GRANTED.length).then(
          answer => answer.toString('latin1') === CONNECT_GRANTED,
          () => false,
        );
        if (isGranted) await client.send(inner);
      }
      await judge(client, { verdict: verdictOf(row), stream: inner });
    });

    it('to the daemon itself is refused', async () => {
      const client = await dial('proxy');
      await client.send(connectRequest(`127.0.0.1:${daemon.port('proxy')}`));
      await judge(client, { verdict: 'deny', stream: Buffer.alloc(0) });
    });
  });

  it('no opening has forged, broken or lost a log line', () => {
    expect(daemon.otherOutput).toEqual([]);
    const pairs = pairRecords(daemon.lines);
    expect(pairs).toHaveLength(flows);
    expect(pairs.filter(({ decision }) => decision.action === 'allow')).toHaveLength(served);
    expect(upstream.peers).toHaveLength(served);
  });
});

function innerStream(id: string | undefined): Uint8Array {
  if (id === undefined) return new Uint8Array(0);
  const stream = OTHER_INNER[id] ?? tlsRows.find(row => row.id === id)?.stream;
  if (stream === undefined) throw new Error(`no row ${id}`);
  return stream;
}
