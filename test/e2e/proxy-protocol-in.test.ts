import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProxyAddresses } from '../../src/sniff/proxy-protocol.ts';
import { buildClientHello } from '../support/client-hello.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { pairRecords, startEgress } from '../support/egress.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { CLAIM, CLIENT, ENDPOINT, v1, v2 } from '../support/proxy-protocol.ts';
import { Scope } from '../support/scope.ts';
import { CONNECT_GRANTED, connectRequest } from '../support/tunnel.ts';
import { Upstream } from '../support/upstream.ts';

const hello = Buffer.from(buildClientHello({ serverName: 'allowed.example' }));
/** Ports tell the records of the tests apart; the system gives none of these to anybody. */
let ports = 1_000;
const claim = (ip = CLIENT.ip) => ({ ...CLAIM, source: { ip, port: ports++ } });

describePlanes('PROXY protocol from a load balancer', dataplane => {
  const scope = new Scope();
  let upstream: Upstream;
  let daemon: TestDaemon;

  beforeAll(async () => {
    upstream = await Upstream.listen(peer => {
      void peer.atLeast(hello.length).then(() => peer.send('answer'));
    });
    scope.defer(() => upstream.close());
    const listener = (name: string, kind: string, rest: object) => ({
      name,
      kind,
      address: '127.0.0.1:0',
      ...(kind === 'sni' ? { upstreamPort: upstream.port } : {}),
      ...rest,
    });
    const trusted = ['127.0.0.1'];
    daemon = await startEgress({
      dataplane,
      upstreamPort: upstream.port,
      limits: { helloTimeout: '1s', flowsPerSource: 2 },
      config: {
        listeners: [
          listener('accept', 'sni', { proxyProtocol: 'accept', trusted }),
          listener('require', 'sni', { proxyProtocol: 'require', trusted }),
          listener('proxy', 'explicit', { proxyProtocol: 'require', trusted }),
          listener('stranger', 'sni', { proxyProtocol: 'require', trusted: ['127.0.0.9'] }),
          listener('open', 'sni', { proxyProtocol: 'accept', trusted: ['127.0.0.9'] }),
        ],
      },
    });
    scope.defer(() => daemon.kill());
  });
  afterAll(async () => {
    await scope.close();
    pairRecords(daemon.lines);
  });

  /** Says `bytes`, waits for the answer and hangs up; gives back the records and what went upstream. */
  async function pass(port: number, bytes: Uint8Array | string, addresses: ProxyAddresses | null = null) {
    const before = upstream.peers.length;
    const client = await Peer.dial(port);
    await client.send(bytes);
    const served = await upstream.peer(before);
    await client.atLeast('answer'.length);
    client.finish();
    served.finish();
    await client.end();
    return { ...(await daemon.flow(addresses?.source.port ?? client.port)), upstream: served.bytes };
  }

  /** Says `bytes` and waits for the end. */
  async function refused(listener: string, bytes: Uint8Array | string, ends = false) {
    const client = await Peer.dial(daemon.port(listener));
    await client.send(bytes);
    if (ends) client.finish();
    await client.end();
    expect(client.received).toBe(0);
    return (await daemon.flow(client.port)).decision;
  }

  describe.each(['accept', 'require'])('proxyProtocol: %s', name => {
    it.each([
      ['version 1', v1],
      ['version 2', v2],
    ])('takes the client from a header of %s, which does not go upstream', async (_, write) => {
      const addresses = claim();
      const seen = { src_ip: CLIENT.ip, src_port: addresses.source.port };
      const flow = await pass(daemon.port(name), Buffer.concat([write(addresses), hello]), addresses);
      expect(flow.decision).toMatchObject({ ...seen, hostname: 'allowed.example', action: 'allow' });
      expect(flow.decision).not.toHaveProperty('vpc_endpoint');
      expect(flow.close).toMatchObject({ ...seen, bytes_out: hello.length, bytes_in: 6 });
      expect(flow.upstream).toEqual(hello);
    });

    it.each([
      ['version 1', v1],
      ['version 2', (addresses: ProxyAddresses) => v2(addresses, ENDPOINT)],
    ])('reads a header of %s that comes byte by byte', async (_, write) => {
      const addresses = claim();
      const before = upstream.peers.length;
      const client = await Peer.dial(daemon.port(name));
      for (const byte of Buffer.concat([write(addresses), hello])) await client.send(Uint8Array.of(byte));
      const served = await upstream.peer(before);
      expect(await served.atLeast(hello.length)).toEqual(hello);
      client.reset();
      expect((await daemon.flow(addresses.source.port)).decision).toMatchObject({
        src_ip: CLIENT.ip,
        action: 'allow',
      });
    });

    it('says which VPC endpoint the client came through', async () => {
      const addresses = claim();
      const bytes = Buffer.concat([v2(addresses, ENDPOINT), hello]);
      const { decision } = await pass(daemon.port(name), bytes, addresses);
      expect(decision).toMatchObject({ src_ip: CLIENT.ip, vpc_endpoint: ENDPOINT });
    });

    it.each([
      ['LOCAL', v2(null)],
      ['UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n')],
    ])('leaves a connection its own address after %s', async (_, header) => {
      const flow = await pass(daemon.port(name), Buffer.concat([header, hello]));
      expect(flow.decision).toMatchObject({ src_ip: '127.0.0.1', action: 'allow' });
      expect(flow.upstream).toEqual(hello);
    });

    it.each([
      ['connects and hangs up', ''],
      ['says LOCAL and hangs up', v2(null)],
      ['says UNKNOWN and hangs up', 'PROXY UNKNOWN\r\n'],
    ])('writes nothing of a health check that %s', async (_, bytes) => {
      const before = daemon.lines.length;
      const check = await Peer.dial(daemon.port(name));
      await check.send(bytes);
      check.finish();
      await check.end();
      const reset = await Peer.dial(daemon.port(name));
      await reset.send(bytes);
      reset.reset();
      // Whatever was to be said of them would have been said before the next flow's.
      const addresses = claim();
      await pass(daemon.port(name), Buffer.concat([v2(addresses), hello]), addresses);
      const said = daemon.lines.slice(before).map(line => line.src_port);
      expect(new Set(said)).toEqual(new Set([addresses.source.port]));
    });

    it.each([
      [
        'a wrong checksum',
        Buffer.concat([
          v2().subarray(0, 15),
          Buffer.from([19]),
          v2().subarray(16),
          Buffer.from([3, 0, 4, 1, 2, 3, 4]),
        ]),
        'crc32c',
      ],
      [
        'a TLV that lies',
        Buffer.concat([v2().subarray(0, 15), Buffer.from([15]), v2().subarray(16), Buffer.from([4, 0, 9])]),
        'tlv-length',
      ],
      [
        'a length that lies',
        Buffer.concat([v2().subarray(0, 15), Buffer.from([4]), v2().subarray(16, 20)]),
        'v2-address-length',
      ],
      [
        'more than anybody sends',
        Buffer.concat([v2().subarray(0, 14), Buffer.alloc(60_000, 255)]),
        'v2-too-long',
      ],
      ['a line without its LF', 'PROXY TCP4 192.0.2.7 198.51.100.10 1 2\rGET / HTTP/1.1\r\n', 'v1-line-end'],
      ['a line without end', `PROXY TCP4 ${'1'.repeat(200)}`, 'v1-too-long'],
      ['another protocol', 'PROXY UDP4 192.0.2.7 198.51.100.10 1 2\r\n', 'v1-protocol'],
    ])('refuses %s', async (_, bytes, detail) => {
      expect(await refused(name, bytes)).toMatchObject({
        src_ip: '127.0.0.1',
        action: 'deny',
        state: 'NO_MATCH',
        reason: 'malformed_proxy_header',
        detail,
      });
    });

    it('counts the flows of a client, not those of the balancer', async () => {
      const before = daemon.lines.length;
      const clients = await Promise.all(
        [1, 2, 3, 4].map(async i => {
          const client = await Peer.dial(daemon.port(name));
          await client.send(Buffer.concat([v2(claim(`203.0.113.${i % 2}`)), hello]));
          await client.atLeast('answer'.length);
          return client;
        }),
      );
      const one = await Peer.dial(daemon.port(name));
      await one.send(Buffer.concat([v2(claim('203.0.113.1')), hello]));
      await one.end();
      expect(await daemon.line(line => line.reason === 'source_limit', before)).toMatchObject({
        src_ip: '203.0.113.1',
      });
      for (const client of clients) client.reset();
      await daemon.collect(
        line => line.event === 'close' && String(line.src_ip).startsWith('203.0.113.'),
        5,
        before,
      );
      const addresses = claim('203.0.113.1');
      const again = await pass(daemon.port(name), Buffer.concat([v2(addresses), hello]), addresses);
      expect(again.decision).toMatchObject({ src_ip: '203.0.113.1', action: 'allow' });
    });
  });

  it('accept: takes a flow without a header as it is', async () => {
    const flow = await pass(daemon.port('accept'), hello);
    expect(flow.decision).toMatchObject({ src_ip: '127.0.0.1', action: 'allow' });
  });

  it('accept: waits for the rest of a signature; what does not become one is the client’s own', async () => {
    const decision = await refused('accept', 'PROX');
    expect(decision).toMatchObject({ src_ip: '127.0.0.1', reason: 'not_tls', state: 'NO_MATCH' });
  });

  it('accept: what ends inside a signature is the client’s own', async () => {
    const decision = await refused('accept', 'PROX', true);
    expect(decision).toMatchObject({ src_ip: '127.0.0.1', reason: 'not_tls' });
  });

  it.each([
    ['no header', hello, 'malformed_proxy_header', 'signature'],
    ['half a signature', 'PROX', 'hello_timeout', undefined],
    ['nothing', '', 'hello_timeout', undefined],
  ])('require: refuses %s', async (_, bytes, reason, detail) => {
    const decision = await refused('require', bytes);
    expect(decision).toMatchObject({ src_ip: '127.0.0.1', action: 'deny', reason });
    expect(decision.detail).toBe(detail);
  });

  it('require: refuses a header that is broken off', async () => {
    const decision = await refused('require', v2().subarray(0, 20), true);
    expect(decision).toMatchObject({ reason: 'malformed_proxy_header', action: 'deny' });
  });

  it('require: refuses a peer that is not trusted, whatever it says', async () => {
    for (const bytes of [v2(), hello]) {
      const before = daemon.lines.length;
      // It is reset at once, perhaps before it knows that it is connected.
      const stranger = connect(daemon.port('stranger'), '127.0.0.1');
      const isGone = new Promise(resolve => stranger.on('error', () => {}).on('close', resolve));
      stranger.write(bytes);
      expect(await daemon.line(line => line.reason === 'untrusted_peer', before)).toMatchObject({
        src_ip: '127.0.0.1',
        state: 'DENIED',
        listener: 'stranger',
      });
      await isGone;
    }
  });

  it('accept: does not believe a peer that is not trusted, whose header is an opening like any other', async () => {
    for (const header of [v1(), v2()]) {
      const decision = await refused('open', Buffer.concat([header, hello]));
      expect(decision).toMatchObject({ src_ip: '127.0.0.1', action: 'deny', reason: 'not_tls' });
    }
    const flow = await pass(daemon.port('open'), hello);
    expect(flow.decision).toMatchObject({ src_ip: '127.0.0.1', action: 'allow' });
  });

  it('serves CONNECT behind a header, all in one segment', async () => {
    const before = upstream.peers.length;
    const addresses = claim();
    const client = await Peer.dial(daemon.port('proxy'));
    const request = Buffer.from(connectRequest(`allowed.example:${upstream.port}`));
    await client.send(Buffer.concat([v2(addresses, ENDPOINT), request, hello]));
    await client.atLeast(CONNECT_GRANTED.length + 'answer'.length);
    expect((await upstream.peer(before)).bytes).toEqual(hello);
    client.reset();
    expect((await daemon.flow(addresses.source.port)).decision).toMatchObject({
      src_ip: CLIENT.ip,
      vpc_endpoint: ENDPOINT,
      action: 'allow',
    });
  });

  it('judges plain HTTP as of the client that the header names', async () => {
    const addresses = claim();
    const client = await Peer.dial(daemon.port('proxy'));
    const request = Buffer.from('GET http://denied.example/ HTTP/1.1\r\nHost: denied.example\r\n\r\n');
    await client.send(Buffer.concat([v2(addresses, ENDPOINT), request]));
    await client.end();
    expect(client.text).toMatch(/^HTTP\/1\.1 403 /);
    expect((await daemon.flow(addresses.source.port)).decision).toMatchObject({
      src_ip: CLIENT.ip,
      vpc_endpoint: ENDPOINT,
      protocol: 'http',
      reason: 'not_allowed',
    });
  });
});
