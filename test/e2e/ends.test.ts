import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildClientHello } from '../support/client-hello.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { pairRecords, startEgress } from '../support/egress.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { buildServerHello } from '../support/server-hello.ts';
import { openTunnel } from '../support/tunnel.ts';
import { Upstream } from '../support/upstream.ts';

const hello = buildClientHello();
const answer = buildServerHello();
const routes = ['sni', 'connect', 'socks5'] as const;

describePlanes('the ends of a flow', dataplane => {
  const scope = new Scope();
  let daemon: TestDaemon;
  let upstream: Upstream;

  beforeAll(async () => {
    upstream = await Upstream.listen();
    scope.defer(() => upstream.close());
    daemon = await startEgress({ dataplane, upstreamPort: upstream.port });
    scope.defer(() => daemon.kill());
  });
  afterAll(async () => {
    await scope.close();
    pairRecords(daemon.lines);
  });

  /** A flow that has come as far as the server's choice. */
  async function open(
    route: (typeof routes)[number],
  ): Promise<{ client: Peer; server: Peer; granted: number }> {
    const index = upstream.peers.length;
    const client =
      route === 'sni'
        ? await Peer.dial(daemon.port('tls'))
        : await openTunnel(route, daemon.port('proxy'), 'allowed.example', upstream.port);
    scope.defer(() => client.socket.destroy());
    const granted = client.received;
    await client.send(hello);
    const server = await upstream.peer(index);
    await server.send(answer);
    await client.atLeast(granted + answer.length);
    return { client, server, granted };
  }

  describe.each(routes)('by %s', route => {
    it('passes on the client half-closing, and what the server says after that', async () => {
      const { client, server, granted } = await open(route);
      await client.send('last words');
      client.finish();
      expect(await server.end()).toBe('fin');
      await server.send('a late answer');
      server.finish();
      expect(await client.end()).toBe('fin');
      expect(client.bytes.subarray(granted + answer.length).toString()).toBe('a late answer');
      expect(server.bytes).toEqual(Buffer.concat([hello, Buffer.from('last words')]));
      const { close } = await daemon.flow(client.port);
      expect(close).toMatchObject({
        end: 'client_fin',
        bytes_out: server.received,
        bytes_in: answer.length + 'a late answer'.length,
      });
    });

    it('passes on the server half-closing, and what the client says after that', async () => {
      const { client, server } = await open(route);
      server.finish();
      expect(await client.end()).toBe('fin');
      await client.send('a late request');
      client.finish();
      expect(await server.end()).toBe('fin');
      expect(server.bytes).toEqual(Buffer.concat([hello, Buffer.from('a late request')]));
      const { close } = await daemon.flow(client.port);
      expect(close).toMatchObject({ end: 'server_fin', bytes_out: server.received, bytes_in: answer.length });
    });

    it("passes on the client's reset as a reset", async () => {
      const { client, server } = await open(route);
      client.reset();
      expect(await server.end()).toBe('reset');
      expect((await daemon.flow(client.port)).close).toMatchObject({ end: 'client_reset' });
    });

    it("passes on the server's reset as a reset", async () => {
      const { client, server } = await open(route);
      server.reset();
      expect(await client.end()).toBe('reset');
      expect((await daemon.flow(client.port)).close).toMatchObject({ end: 'server_reset' });
    });

    it('tells both sides of the same flow in its two records', async () => {
      const { client, server } = await open(route);
      server.finish();
      client.finish();
      const { decision, close } = await daemon.flow(client.port);
      const identity = {
        flow: decision.flow,
        gateway: 'test-gateway',
        listener: route === 'sni' ? 'tls' : 'proxy',
        src_ip: '127.0.0.1',
        src_port: client.port,
        dst_ip: '127.0.0.1',
        dst_port: upstream.port,
        hostname: 'allowed.example',
        protocol: 'tls',
      };
      expect(decision).toMatchObject({
        ...identity,
        state: 'MATCHED',
        action: 'allow',
        reason: null,
        rule: 'upstream',
      });
      expect(close).toMatchObject({ ...identity, bytes_out: hello.length, bytes_in: answer.length });
    });
  });

  it('a client that half-closes right after its hello is served', async () => {
    const index = upstream.peers.length;
    const client = await Peer.dial(daemon.port('tls'));
    client.socket.end(hello);
    const server = await upstream.peer(index);
    expect(await server.end()).toBe('fin');
    await server.send(answer);
    server.finish();
    expect(await client.end()).toBe('fin');
    expect(client.bytes).toEqual(Buffer.from(answer));
    expect(server.bytes).toEqual(Buffer.from(hello));
    expect((await daemon.flow(client.port)).close).toMatchObject({ end: 'client_fin' });
  });

  it('a client that leaves before it has named a host is refused as client_closed', async () => {
    const client = await Peer.dial(daemon.port('tls'));
    client.finish();
    expect(await client.end()).toBe('fin');
    const { decision, close } = await daemon.flow(client.port);
    expect(decision).toMatchObject({ action: 'deny', reason: 'client_closed', hostname: null, dst_ip: null });
    expect(close).toMatchObject({ end: 'refused', bytes_out: 0, bytes_in: 0 });
  });
});
