import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Scope } from '../../support/scope.ts';
import { Upstream } from '../../support/upstream.ts';
import { compiled } from '../support.ts';
import { type HttpRig, type HttpRigOptions, startRig } from './rig.ts';

const GET = 'GET / HTTP/1.1\r\nHost: allowed.example\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('the life of a flow', () => {
  let scope: Scope;
  let upstream: Upstream;

  beforeEach(async () => {
    scope = new Scope();
    upstream = await Upstream.listen();
    scope.defer(() => upstream.close());
  });
  afterEach(() => scope.close());

  const rigWith = (options: HttpRigOptions = {}) =>
    startRig(scope, { servers: { '*': upstream.port }, ...options });

  async function served(rig: HttpRig) {
    const client = await rig.dial();
    scope.defer(() => client.socket.destroy());
    await client.send(GET);
    const server = await upstream.peer();
    await server.atLeast(GET.length);
    await server.send(OK);
    await client.atLeast(OK.length);
    return { client, server };
  }

  it('ends when the first head takes too long, however it drips', async () => {
    const rig = await rigWith({ settings: { helloTimeoutMs: 80 } });
    const client = await rig.dial();
    await client.send('GET /');
    const drip = setInterval(() => client.socket.write('X'), 10);
    scope.defer(() => clearInterval(drip));
    await client.end();
    expect(client.text).toMatch(/^HTTP\/1\.1 408 /);
    expect(rig.decided).toMatchObject([{ action: 'deny', reason: 'hello_timeout', hostname: null }]);
  });

  it('ends when a later head takes too long', async () => {
    const rig = await rigWith({ settings: { helloTimeoutMs: 80 } });
    const { client } = await served(rig);
    await client.send('GET / HTTP/1.1\r\nX');
    const drip = setInterval(() => client.socket.write('X'), 10);
    scope.defer(() => clearInterval(drip));
    await client.end();
    expect(client.text).toContain('HTTP/1.1 408 ');
    expect(rig.decided).toMatchObject([{ action: 'allow' }, { action: 'deny', reason: 'hello_timeout' }]);
  });

  it('does not end because a body takes longer than a head may', async () => {
    const rig = await rigWith({ settings: { helloTimeoutMs: 60 } });
    const client = await rig.dial();
    scope.defer(() => client.socket.destroy());
    await client.send('POST / HTTP/1.1\r\nHost: allowed.example\r\nContent-Length: 20\r\n\r\n');
    for (let i = 0; i < 20; i++) {
      await new Promise(resolve => setTimeout(resolve, 10));
      await client.send('x');
    }
    const server = await upstream.peer();
    await server.atLeast(80);
    await server.send(OK);
    expect((await client.atLeast(OK.length)).toString()).toBe(OK);
  });

  it('ends when nothing has moved for the idle timeout', async () => {
    const rig = await rigWith({ settings: { idleTimeoutMs: 80 } });
    const { client } = await served(rig);
    await client.end();
    expect(rig.closed).toMatchObject([{ end: 'idle_timeout', hostname: 'allowed.example' }]);
  });

  it('ends with the client’s reset, upstream too', async () => {
    const rig = await rigWith();
    const { client, server } = await served(rig);
    client.reset();
    await server.end();
    expect(rig.closed).toMatchObject([{ end: 'client_reset' }]);
    expect(rig.flows.openFlows).toBe(0);
  });

  it('ends when the client leaves inside a body, which never looks whole upstream', async () => {
    const rig = await rigWith();
    const client = await rig.dial();
    const sent = 'POST / HTTP/1.1\r\nHost: allowed.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n';
    await client.send(sent);
    const server = await upstream.peer();
    await server.atLeast(sent.length);
    client.finish();
    await server.end();
    expect(server.text).toBe(sent);
    expect(rig.closed).toMatchObject([{ end: 'client_fin' }]);
  });

  it('has a client that is gone before it said anything recorded', async () => {
    const rig = await rigWith();
    const client = await rig.dial();
    await client.send('GET /');
    client.reset();
    // Right behind a short read the runtime takes a reset for a FIN.
    await expect.poll(() => rig.closed).toMatchObject([{ hostname: null, bytesOut: 0 }]);
    expect(rig.decided).toMatchObject([{ action: 'deny', reason: 'client_closed' }]);
  });

  it('slows a client down to its upstream', async () => {
    const rig = await rigWith();
    const client = await rig.dial();
    scope.defer(() => client.socket.destroy());
    const total = 64 * 1024 * 1024;
    client.socket.write(`POST / HTTP/1.1\r\nHost: allowed.example\r\nContent-Length: ${total}\r\n\r\n`);
    const server = await upstream.peer();
    server.socket.pause();
    const piece = Buffer.alloc(1024 * 1024);
    let sent = 0;
    while (sent < total && client.socket.write(piece)) sent += piece.length;
    client.socket.write(Buffer.alloc(total - sent - piece.length));
    const before = process.memoryUsage().arrayBuffers;
    await new Promise(resolve => setTimeout(resolve, 300));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
    expect(rig.moved.out).toBeLessThan(total / 2);
  });

  describe('when the daemon drains', () => {
    it('ends at once where nothing is under way', async () => {
      const rig = await rigWith();
      const { client } = await served(rig);
      rig.flows.drain();
      expect(await client.end()).toBe('fin');
      expect(rig.closed).toMatchObject([{ end: 'drained' }]);
    });

    it('ends after the response that is under way, which says so', async () => {
      const rig = await rigWith();
      const client = await rig.dial();
      await client.send(GET);
      const server = await upstream.peer();
      await server.atLeast(GET.length);
      rig.flows.drain();
      await server.send(OK);
      await client.end();
      expect(client.text).toBe('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok');
    });

    it('is cut when that is not waited for', async () => {
      const rig = await rigWith();
      const client = await rig.dial();
      await client.send(GET);
      const server = await upstream.peer();
      await server.atLeast(GET.length);
      rig.flows.drain();
      rig.flows.cutAll('drained');
      expect(await client.end()).toBe('reset');
      expect(rig.closed).toMatchObject([{ end: 'drained' }]);
      expect(rig.flows.openFlows).toBe(0);
    });

    it('serves one request to those who come later', async () => {
      const rig = await rigWith();
      rig.flows.drain();
      const client = await rig.dial();
      await client.send(GET);
      const server = await upstream.peer();
      await server.atLeast(GET.length);
      await server.send(OK);
      await client.end();
      expect(client.text).toContain('Connection: close\r\n\r\nok');
      expect(rig.closed).toHaveLength(1);
    });

    it('before it has a whole head is cut', async () => {
      const rig = await rigWith();
      const client = await rig.dial();
      await client.send('GET / ');
      await expect.poll(() => rig.flows.openFlows).toBe(1);
      rig.flows.drain();
      expect(await client.end()).toBe('reset');
      expect(rig.decided).toMatchObject([{ action: 'deny', reason: 'drained' }]);
    });
  });

  describe('when the policy closes what it no longer allows', () => {
    it('ends where that host is being served', async () => {
      const rig = await rigWith();
      const client = await rig.dial();
      await client.send(GET);
      await (await upstream.peer()).atLeast(GET.length);
      rig.policy = compiled([]);
      rig.flows.closeDenied();
      expect(await client.end()).toBe('reset');
      expect(rig.closed).toMatchObject([{ end: 'policy_changed' }]);
    });

    it('loses the connection upstream where it rests, and nothing where the host stays allowed', async () => {
      const rig = await rigWith();
      const { server, client } = await served(rig);
      rig.flows.closeDenied();
      expect(rig.closed).toEqual([]);
      rig.policy = compiled([]);
      rig.flows.closeDenied();
      await server.end();
      expect(rig.closed).toMatchObject([{ end: 'policy_changed' }]);
      await client.send(GET);
      await client.end();
      expect(client.text).toContain('HTTP/1.1 403 ');
    });
  });
});
