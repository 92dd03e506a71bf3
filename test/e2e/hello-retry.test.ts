import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildClientHello } from '../support/client-hello.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { startEgress } from '../support/egress.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { buildHelloRetryRequest, buildServerHello } from '../support/server-hello.ts';
import { openTunnel } from '../support/tunnel.ts';
import { Upstream } from '../support/upstream.ts';

const first = buildClientHello();
const retry = buildHelloRetryRequest();
const answer = buildServerHello();
const otherName = buildClientHello({ serverName: 'denied.example' });

describePlanes('a second ClientHello after a HelloRetryRequest', dataplane => {
  const scope = new Scope();
  let upstream: Upstream;

  beforeAll(async () => {
    upstream = await Upstream.listen();
    scope.defer(() => upstream.close());
  });
  afterAll(() => scope.close());

  describe.each(['enforce', 'observe'] as const)('mode %s', mode => {
    const inner = new Scope();
    let daemon: TestDaemon;

    beforeAll(async () => {
      // One worker, so that all flows read into the same memory.
      daemon = await startEgress({ dataplane, upstreamPort: upstream.port, mode, config: { workers: 1 } });
      inner.defer(() => daemon.kill());
    });
    afterAll(() => inner.close());

    async function openToRetry(route: 'sni' | 'connect') {
      const index = upstream.peers.length;
      const client =
        route === 'sni'
          ? await Peer.dial(daemon.port('tls'))
          : await openTunnel('connect', daemon.port('proxy'), 'allowed.example', upstream.port);
      inner.defer(() => client.socket.destroy());
      const granted = client.received;
      await client.send(first);
      const server = await upstream.peer(index);
      await server.atLeast(first.length);
      await server.send(retry);
      await client.atLeast(granted + retry.length);
      return { client, server };
    }

    it.each(['sni', 'connect'] as const)('of the same name passes, by %s', async route => {
      const { client, server } = await openToRetry(route);
      await client.send(first);
      await server.atLeast(2 * first.length);
      await server.send(answer);
      client.finish();
      server.finish();
      const { close } = await daemon.flow(client.port);
      expect(close).toMatchObject({ bytes_out: 2 * first.length, bytes_in: retry.length + answer.length });
    });

    it.each(['sni', 'connect'] as const)('of another name, by %s', async route => {
      const { client, server } = await openToRetry(route);
      // In two pieces: nothing of it may pass before it is whole.
      await client.send(otherName.subarray(0, 30));
      await client.send(otherName.subarray(30));
      if (mode === 'enforce') {
        expect(await client.end()).toBe('reset');
        expect(await server.end()).toBe('reset');
        expect(server.bytes).toEqual(Buffer.from(first));
        const { close } = await daemon.flow(client.port);
        expect(close).toMatchObject({
          end: 'name_mismatch',
          reason: 'name_mismatch',
          bytes_out: first.length,
        });
      } else {
        const all = await server.atLeast(first.length + otherName.length);
        expect(all).toEqual(Buffer.concat([first, otherName]));
        client.finish();
        server.finish();
        expect((await daemon.flow(client.port)).close).toMatchObject({ reason: 'name_mismatch' });
      }
    });

    it('that arrives in pieces is what it was, whatever other flows say meanwhile', async () => {
      const { client, server } = await openToRetry('sni');
      await client.send(first.subarray(0, 30));
      const other = await openToRetry('sni');
      other.client.socket.destroy();
      await client.send(first.subarray(30));
      expect(await server.atLeast(2 * first.length)).toEqual(Buffer.concat([first, first]));
    });

    it('of another name in the same segment as the first is judged with it', async () => {
      const before = upstream.peers.length;
      const client = await Peer.dial(daemon.port('tls'));
      inner.defer(() => client.socket.destroy());
      await client.send(Buffer.concat([first, otherName]));
      if (mode === 'enforce') {
        expect(await client.end()).toBe('fin');
        expect((await daemon.flow(client.port)).decision).toMatchObject({
          action: 'deny',
          reason: 'name_mismatch',
        });
        expect(upstream.peers.length).toBe(before);
      } else {
        const server = await upstream.peer(before);
        await server.atLeast(first.length + otherName.length);
        client.finish();
        server.finish();
        const { decision } = await daemon.flow(client.port);
        expect(decision).toMatchObject({ action: 'would-deny', reason: 'name_mismatch' });
      }
    });
  });
});
