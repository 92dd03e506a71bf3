import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildClientHello } from '../support/client-hello.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { pairRecords, startEgress } from '../support/egress.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { openTunnel } from '../support/tunnel.ts';
import { Upstream } from '../support/upstream.ts';

const BANNER = 'SSH-2.0-test\r\n';

interface Client {
  readonly route: 'sni' | 'connect' | 'socks5';
  /** What CONNECT or SOCKS names. */
  readonly target?: string;
  readonly says: Uint8Array;
}

/** What observe mode forwards and enforce refuses, and why. */
const CASES: readonly (readonly [
  string,
  Client,
  { reason: string; state: string; hostname: string | null },
])[] = [
  [
    'a host that no rule allows',
    { route: 'sni', says: buildClientHello({ serverName: 'denied.example' }) },
    { reason: 'not_allowed', state: 'NO_MATCH', hostname: 'denied.example' },
  ],
  [
    'a CONNECT to a host that no rule allows',
    { route: 'connect', target: 'denied.example', says: buildClientHello({ serverName: 'denied.example' }) },
    { reason: 'not_allowed', state: 'NO_MATCH', hostname: 'denied.example' },
  ],
  [
    'a SOCKS5 request for a host that no rule allows',
    { route: 'socks5', target: 'denied.example', says: buildClientHello({ serverName: 'denied.example' }) },
    { reason: 'not_allowed', state: 'NO_MATCH', hostname: 'denied.example' },
  ],
  [
    'a hello that names another host than its CONNECT',
    { route: 'connect', target: 'allowed.example', says: buildClientHello({ serverName: 'denied.example' }) },
    { reason: 'name_mismatch', state: 'DENIED', hostname: 'allowed.example' },
  ],
  [
    'a hello without a name inside CONNECT',
    { route: 'connect', target: 'allowed.example', says: buildClientHello({ serverName: null }) },
    { reason: 'no_hostname', state: 'DENIED', hostname: 'allowed.example' },
  ],
  [
    'CONNECT to an address',
    { route: 'connect', target: '127.0.0.1', says: buildClientHello({ serverName: null }) },
    { reason: 'no_hostname', state: 'NO_MATCH', hostname: null },
  ],
  [
    'something other than TLS inside CONNECT',
    { route: 'connect', target: 'allowed.example', says: Buffer.from('GET / HTTP/1.0\r\n\r\n') },
    { reason: 'not_tls', state: 'DENIED', hostname: 'allowed.example' },
  ],
  [
    'a broken hello inside SOCKS5',
    { route: 'socks5', target: 'allowed.example', says: Uint8Array.of(22, 3, 1, 0, 4, 2, 0, 0, 0) },
    { reason: 'malformed_hello', state: 'DENIED', hostname: 'allowed.example' },
  ],
  [
    'a hello with Encrypted Client Hello',
    { route: 'sni', says: buildClientHello({ ech: true }) },
    { reason: 'ech', state: 'DENIED', hostname: 'allowed.example' },
  ],
];

describePlanes('observe mode', dataplane => {
  const scope = new Scope();
  let upstream: Upstream;

  beforeAll(async () => {
    upstream = await Upstream.listen();
    scope.defer(() => upstream.close());
  });
  afterAll(() => scope.close());

  function start(mode: 'observe' | 'enforce'): Promise<TestDaemon> {
    return startEgress({ dataplane, upstreamPort: upstream.port, mode });
  }

  async function dial(daemon: TestDaemon, { route, target = '' }: Client): Promise<Peer> {
    if (route === 'sni') return Peer.dial(daemon.port('tls'));
    return openTunnel(route, daemon.port('proxy'), target, upstream.port);
  }

  describe('observing', () => {
    const inner = new Scope();
    let daemon: TestDaemon;

    beforeAll(async () => {
      daemon = await start('observe');
      inner.defer(() => daemon.kill());
    });
    afterAll(async () => {
      await inner.close();
      pairRecords(daemon.lines);
    });

    it.each(CASES)('forwards %s, byte for byte, and says would-deny', async (_what, client, expected) => {
      const index = upstream.peers.length;
      const peer = await dial(daemon, client);
      const granted = peer.received;
      await peer.send(client.says);
      const server = await upstream.peer(index);
      expect(await server.atLeast(client.says.length)).toEqual(Buffer.from(client.says));
      await server.send('an answer');
      expect((await peer.atLeast(granted + 9)).subarray(granted).toString()).toBe('an answer');
      peer.finish();
      server.finish();
      const { decision, close } = await daemon.flow(peer.port);
      expect(decision).toMatchObject({ action: 'would-deny', dst_ip: '127.0.0.1', ...expected });
      expect(close).toMatchObject({ bytes_out: client.says.length, bytes_in: 9 });
    });

    it('lets the server speak first when the client is silent after CONNECT', async () => {
      const index = upstream.peers.length;
      const peer = await openTunnel('connect', daemon.port('proxy'), 'allowed.example', upstream.port);
      const granted = peer.received;
      const server = await upstream.peer(index);
      await server.send(BANNER);
      expect((await peer.atLeast(granted + BANNER.length)).subarray(granted).toString()).toBe(BANNER);
      await peer.send('SSH-2.0-client\r\n');
      expect((await server.atLeast(16)).toString()).toBe('SSH-2.0-client\r\n');
      peer.finish();
      server.finish();
      const { decision } = await daemon.flow(peer.port);
      expect(decision).toMatchObject({
        action: 'would-deny',
        reason: 'hello_timeout',
        state: 'DENIED',
        protocol: 'tcp',
        hostname: 'allowed.example',
      });
    });

    it('says allow of what enforce would allow', async () => {
      const index = upstream.peers.length;
      const peer = await Peer.dial(daemon.port('tls'));
      await peer.send(buildClientHello());
      (await upstream.peer(index)).finish();
      peer.finish();
      const { decision } = await daemon.flow(peer.port);
      expect(decision).toMatchObject({ action: 'allow', state: 'MATCHED', reason: null, rule: 'upstream' });
    });

    it('counts the site of what it would deny', async () => {
      const response = await fetch(`${daemon.admin}/api/v1/sites`);
      const site = { host: 'denied.example', port: upstream.port };
      expect(await response.json()).toMatchObject({
        sites: expect.arrayContaining([expect.objectContaining(site)]),
      });
    });
  });

  describe('enforcing', () => {
    const inner = new Scope();
    let daemon: TestDaemon;

    beforeAll(async () => {
      daemon = await start('enforce');
      inner.defer(() => daemon.kill());
    });
    afterAll(async () => {
      await inner.close();
      pairRecords(daemon.lines);
    });

    it.each(CASES)('refuses %s', async (_what, client, expected) => {
      const before = upstream.peers.length;
      const mark = daemon.lines.length;
      const peer = await dial(daemon, client).catch(() => null);
      if (peer !== null) {
        await peer.send(client.says);
        expect(await peer.end()).toBe('fin');
      }
      const close = await daemon.line(line => line.event === 'close', mark);
      const decision = await daemon.line(line => line.event === 'decision', mark);
      expect(decision).toMatchObject({ action: 'deny', ...expected });
      expect(close).toMatchObject({ flow: decision.flow, end: 'refused', bytes_out: 0, bytes_in: 0 });
      expect(upstream.peers.length).toBe(before);
    });
  });
});
