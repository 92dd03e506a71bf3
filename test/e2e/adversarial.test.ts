import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildClientHello } from '../support/client-hello.ts';
import { type AdversarialRow, readAdversarial } from '../support/corpus.ts';
import { TestDaemon } from '../support/daemon.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { pairRecords } from '../support/egress.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { CONNECT_GRANTED, connectRequest } from '../support/tunnel.ts';
import { Upstream } from '../support/upstream.ts';

/** What the fixture leaves to the policy: these are served, the rest of that kind is not. */
const SERVED_BY_POLICY = new Set(['B04', 'B16', 'R21', 'R39']);
/** N25 expects a name of five labels to match `*.wild.example`; here `*` stands for one label, so it is denied. */
const DENIED_BY_ONE_LABEL_WILDCARD = 'N25';
/** Plain HTTP to allowed.example: refused in a tunnel, served at the sni listener (plain-http.test.ts). */
const PLAIN_HTTP = 'X04';
/** Inner streams that the fixture names but does not hold. */
const OTHER_INNER: Readonly<Record<string, Uint8Array>> = {
  H11: buildClientHello({ serverName: null }),
  R14: buildClientHello({ cuts: [1, 60, 61] }),
};

type Verdict = 'allow' | 'deny' | 'timeout';

interface Case {
  readonly id: string;
  readonly desc: string;
  readonly verdict: Verdict;
  /** What upstream must receive, byte for byte. */
  readonly stream: Uint8Array;
  readonly segments: readonly number[];
}

const tlsRows = readAdversarial('adversarial.jsonl');
const connectRows = readAdversarial('adversarial_http.jsonl').filter(row => row.cat === 'connect');

function verdictOf({ id, expect }: AdversarialRow): Verdict {
  if (id === DENIED_BY_ONE_LABEL_WILDCARD) return 'deny';
  if (expect === 'allow' || expect === 'timeout') return expect;
  return expect === 'policy' && SERVED_BY_POLICY.has(id) ? 'allow' : 'deny';
}

const direct: Case[] = tlsRows.map(row => ({
  id: row.id,
  desc: row.desc,
  verdict: verdictOf(row),
  stream: row.stream,
  segments: row.segments ?? [row.stream.length],
}));

/** The same openings behind a CONNECT to allowed.example: a hello that names another host is one more to refuse. */
const tunnelled: Case[] = direct.map((one, i) => {
  const isOther = tlsRows[i]?.expect_host?.toLowerCase() !== 'allowed.example';
  return one.verdict === 'allow' && isOther ? { ...one, verdict: 'deny' } : one;
});

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
        rules: [
          { name: 'corpus', hosts: ['allowed.example', '*.wild.example'], ports: [80, 443, upstream.port] },
        ],
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

  /** Sends the stream in its segments, each handed to the kernel before the next. */
  async function send(client: Peer, { stream, segments }: Case): Promise<void> {
    let at = 0;
    for (const length of segments) {
      await client.send(stream.subarray(at, at + length));
      at += length;
    }
    expect(at).toBe(stream.length);
  }

  /** Holds what becomes of a flow against its verdict. */
  async function judge(client: Peer, { verdict, stream }: Pick<Case, 'verdict' | 'stream'>): Promise<void> {
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

  describe('at the sni listener', () => {
    it.each(direct.filter(({ id }) => id !== PLAIN_HTTP))('$id $desc: $verdict', async one => {
      const client = await dial('tls');
      await send(client, one);
      await judge(client, one);
    });
  });

  describe('behind CONNECT allowed.example', () => {
    it.each(tunnelled)('$id $desc: $verdict', async one => {
      const client = await dial('proxy');
      await client.send(connectRequest(`allowed.example:${upstream.port}`));
      await client.atLeast(CONNECT_GRANTED.length);
      await send(client, one);
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
