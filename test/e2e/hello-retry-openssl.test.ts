import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toRecords } from '../support/client-hello.ts';
import { runCommand } from '../support/command.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { startEgress } from '../support/egress.ts';
import { helloWithShare } from '../support/key-share-hello.ts';
import { RETRY_BYTES, RetryingServer } from '../support/openssl-server.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { openTunnel } from '../support/tunnel.ts';

const FIRST = toRecords(helloWithShare('allowed.example', 'x25519'));
const SAME = toRecords(helloWithShare('allowed.example', 'secp384r1'));
const OTHER = toRecords(helloWithShare('denied.example', 'secp384r1'));
const ROUTES = ['sni', 'connect', 'socks5'] as const;

describe('OpenSSL by itself', () => {
  const scope = new Scope();
  afterAll(() => scope.close());

  it('follows the name of the second hello: the way past a filter that reads the first', async () => {
    const server = await RetryingServer.start(scope, '127.0.0.1:0');
    const client = await Peer.dial(server.port);
    scope.defer(() => client.socket.destroy());
    await client.send(FIRST);
    await client.atLeast(RETRY_BYTES);
    const asked = client.received;
    await client.send(OTHER);
    await client.atLeast(asked + 1);
    expect(await server.namesFrom(0, 2)).toEqual(['allowed.example', 'denied.example']);
  });
});

describePlanes('an OpenSSL server that asks for another key share', dataplane => {
  const scope = new Scope();
  let server: RetryingServer;
  let daemon: TestDaemon;

  beforeAll(async () => {
    server = await RetryingServer.start(scope, '127.0.0.1:0');
    daemon = await startEgress({ dataplane, upstreamPort: server.port });
    scope.defer(() => daemon.kill());
  });
  afterAll(() => scope.close());

  /** Says the first hello and waits for the HelloRetryRequest. */
  async function openToRetry(route: (typeof ROUTES)[number]): Promise<Peer> {
    const client =
      route === 'sni'
        ? await Peer.dial(daemon.port('tls'))
        : await openTunnel(route, daemon.port('proxy'), 'allowed.example', server.port);
    scope.defer(() => client.socket.destroy());
    const granted = client.received;
    await client.send(FIRST);
    await client.atLeast(granted + RETRY_BYTES);
    return client;
  }

  it.each(ROUTES)('by %s: is not forwarded a second hello for another name', async route => {
    const before = server.hellos;
    const client = await openToRetry(route);
    await client.send(OTHER);
    expect(await client.end()).toBe('reset');
    const { close } = await daemon.flow(client.port);
    expect(close).toMatchObject({
      hostname: 'allowed.example',
      end: 'name_mismatch',
      reason: 'name_mismatch',
      bytes_out: FIRST.length,
    });
    // It serves one at a time: it is done with that flow once it has asked the next one.
    const next = await openToRetry(route);
    next.reset();
    await daemon.flow(next.port);
    expect(await server.namesFrom(before, 2)).toEqual(['allowed.example', 'allowed.example']);
  });

  it.each(ROUTES)('by %s: is forwarded a second hello for the same name', async route => {
    const client = await openToRetry(route);
    const asked = client.received;
    await client.send(SAME.subarray(0, 40));
    await client.send(SAME.subarray(40));
    // Its ServerHello and what follows: it has taken the hello.
    await client.atLeast(asked + 500);
    client.reset();
    const { close } = await daemon.flow(client.port);
    expect(close).toMatchObject({ end: 'client_reset', bytes_out: FIRST.length + SAME.length });
  });

  it.each(['sni', 'connect'] as const)('by %s: serves openssl s_client', async route => {
    const before = server.hellos;
    const to =
      route === 'sni'
        ? ['-connect', `127.0.0.1:${daemon.port('tls')}`]
        : ['-proxy', `127.0.0.1:${daemon.port('proxy')}`, '-connect', `allowed.example:${server.port}`];
    const trust = ['-CAfile', server.certificatePath, '-verify_return_error'];
    const { stdout, stderr, code } = await runCommand(
      'openssl',
      ['s_client', '-quiet', '-groups', 'X25519:P-384', '-servername', 'allowed.example', ...trust, ...to],
      { input: 'GET / HTTP/1.0\r\n\r\n' },
    );
    expect(stdout, stderr).toContain('HTTP/1.0 200');
    expect(code).toBe(0);
    expect(await server.namesFrom(before, 2)).toEqual(['allowed.example', 'allowed.example']);
  });
});
