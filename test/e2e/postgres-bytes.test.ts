import { once } from 'node:events';
import { createServer as createTlsServer, TLSSocket, connect as tlsConnect } from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import { buildClientHello, concat, text } from '../support/client-hello.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { startEgress } from '../support/egress.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { GSSENC_REQUEST, SSL_REQUEST } from '../support/postgres-openings.ts';
import { CONNECT_GRANTED, openTunnel } from '../support/tunnel.ts';
import { Upstream } from '../support/upstream.ts';

const HELLO = buildClientHello({ serverName: 'allowed.example' });
const ALERT_BYTES = 7;

describePlanes('what PostgreSQL clients and servers may say before TLS', dataplane => {
  let upstream: Upstream;
  let enforcing: TestDaemon;
  let observing: TestDaemon;

  beforeAll(async () => {
    upstream = await Upstream.listen();
    const options = { dataplane, upstreamPort: upstream.port };
    [enforcing, observing] = await Promise.all([
      startEgress({ ...options, limits: { dialTimeout: '1s' } }),
      startEgress({ ...options, mode: 'observe', limits: { dialTimeout: '1s' } }),
    ]);
  });
  afterEach(() => {
    for (const { socket } of upstream.peers.splice(0)) socket.destroy();
  });
  afterAll(async () => {
    await Promise.all([enforcing.stop(), observing.stop()]);
    await upstream.close();
  });

  /** A client that has asked for TLS, was told yes, and has sent its hello; and the server that was asked then. */
  async function asked(): Promise<{ client: Peer; server: Peer }> {
    const client = await Peer.dial(enforcing.port('tls'));
    await client.send(SSL_REQUEST);
    expect((await client.atLeast(1)).toString()).toBe('S');
    expect(upstream.peers).toHaveLength(0);
    await client.send(HELLO);
    const server = await upstream.peer();
    expect(await server.atLeast(8)).toEqual(Buffer.from(SSL_REQUEST));
    return { client, server };
  }

  it('a server that says yes gets the hello, byte for byte', async () => {
    const { client, server } = await asked();
    await server.send('S');
    expect((await server.atLeast(8 + HELLO.length)).subarray(8)).toEqual(Buffer.from(HELLO));
    await server.send('and so on');
    expect((await client.atLeast(10)).toString()).toBe('Sand so on');
    server.finish();
    client.finish();
    await Promise.all([client.end(), server.end()]);
    const { decision, close } = await enforcing.flow(client.port);
    expect(decision).toMatchObject({ action: 'allow', hostname: 'allowed.example', protocol: 'tls' });
    expect(close).toMatchObject({ bytes_out: 8 + HELLO.length, bytes_in: 10, end: 'server_fin' });
  });

  it.each([
    ['no', 'N'],
    ['yes and more', 'SX'],
    ['an error', 'E\0\0\0\u0011SFATAL\0C28000\0\0'],
    ['something long', 'S'.repeat(100_000)],
  ])('a server that says %s gets nothing more', async (_, answer) => {
    const { client, server } = await asked();
    await server.send(answer);
    expect(await client.end()).toBe('reset');
    await server.end();
    expect([client.received, server.received]).toEqual([1, 8]);
    expect((await enforcing.flow(client.port)).close).toMatchObject({ end: 'tls_refused' });
  });

  it('a server that hangs up, or resets, ends the flow', async () => {
    for (const hangUp of [(server: Peer) => server.finish(), (server: Peer) => server.reset()]) {
      const { client, server } = await asked();
      hangUp(server);
      expect(await client.end()).toBe('reset');
      expect((await enforcing.flow(client.port)).close).toMatchObject({ end: 'tls_refused', bytes_in: 0 });
      upstream.peers.length = 0;
    }
  });

  it('a server that does not answer is not waited for longer than a dial', async () => {
    const { client, server } = await asked();
    expect(await client.end()).toBe('reset');
    await server.end();
    expect((await enforcing.flow(client.port)).close).toMatchObject({ end: 'tls_refused' });
  });

  it('a client that leaves while the server is asked ends the flow', async () => {
    const { client, server } = await asked();
    client.reset();
    await server.end();
    expect((await enforcing.flow(client.port)).close).toMatchObject({ end: 'client_reset' });
  });

  it.each([
    ['a hello behind the request', concat(SSL_REQUEST, HELLO)],
    ['a byte behind the request', concat(SSL_REQUEST, text('X'))],
    ['both requests at once', concat(GSSENC_REQUEST, SSL_REQUEST)],
  ])('%s is refused without an answer', async (_, opening) => {
    const client = await Peer.dial(enforcing.port('tls'));
    await client.send(opening);
    await client.end();
    expect(client.received).toBe(0);
    expect((await enforcing.flow(client.port)).decision).toMatchObject({
      action: 'deny',
      reason: 'malformed_request',
      detail: 'bytes-before-answer',
    });
    expect(upstream.peers).toHaveLength(0);
  });

  it('a refused name reaches nobody', async () => {
    const client = await Peer.dial(enforcing.port('tls'));
    await client.send(SSL_REQUEST);
    await client.atLeast(1);
    await client.send(buildClientHello({ serverName: 'denied.example' }));
    await client.end();
    expect(client.received).toBe(1 + ALERT_BYTES);
    await enforcing.flow(client.port);
    expect(upstream.peers).toHaveLength(0);
  });

  it('GSS is declined, and then TLS goes through to the end', async () => {
    const { key, cert } = makeCertificate(['allowed.example']);
    const client = await Peer.dial(enforcing.port('tls'));
    await client.send(GSSENC_REQUEST);
    await client.atLeast(1);
    await client.send(SSL_REQUEST);
    expect((await client.atLeast(2)).toString()).toBe('NS');
    client.socket.removeAllListeners('data');
    const secure = tlsConnect({ socket: client.socket, servername: 'allowed.example', ca: cert });
    const server = await upstream.peer();
    await server.atLeast(8);
    server.socket.removeAllListeners('data');
    await server.send('S');
    const accepted = createTlsServer({ key, cert });
    const [[, inner]] = await Promise.all([
      Promise.all([once(secure, 'secureConnect'), once(accepted, 'secureConnection').then(([s]) => s)]),
      Promise.resolve(accepted.emit('connection', server.socket)),
    ]);
    if (!(inner instanceof TLSSocket)) throw new Error('no TLS socket');
    inner.end('inside');
    expect(String(await once(secure, 'data').then(([chunk]) => chunk))).toBe('inside');
    secure.end();
    expect((await enforcing.flow(client.port)).decision).toMatchObject({ action: 'allow' });
  });

  it.each([
    ['no', 'N'],
    ['an error', 'EFATAL'],
    ['something long', 'E'.repeat(200_000)],
  ])('observing, a server that says %s is heard, and what the client says then', async (_, answer) => {
    const client = await openTunnel('connect', observing.port('proxy'), 'allowed.example', upstream.port);
    await client.send(SSL_REQUEST);
    const server = await upstream.peer();
    await server.atLeast(8);
    await server.send(answer);
    const heard = await client.atLeast(CONNECT_GRANTED.length + answer.length);
    expect(heard.toString().slice(CONNECT_GRANTED.length)).toBe(answer);
    await client.send('in the clear');
    expect((await server.atLeast(20)).toString('latin1', 8)).toBe('in the clear');
    client.finish();
    await server.end();
    server.finish();
    await client.end();
    const { decision, close } = await observing.flow(client.port);
    expect(decision).toMatchObject({ action: 'would-deny', reason: 'not_tls', protocol: 'tcp' });
    expect(close).toMatchObject({ bytes_out: 20, bytes_in: answer.length, end: 'client_fin' });
  });

  it('observing, a server that hangs up instead of an answer ends the flow as it would without us', async () => {
    const client = await openTunnel('connect', observing.port('proxy'), 'allowed.example', upstream.port);
    await client.send(SSL_REQUEST);
    const server = await upstream.peer();
    await server.atLeast(8);
    server.finish();
    expect(await client.end()).toBe('fin');
    client.finish();
    await server.end();
    expect((await observing.flow(client.port)).close).toMatchObject({ end: 'server_fin' });
  });
});
