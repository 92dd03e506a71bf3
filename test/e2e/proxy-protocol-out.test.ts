import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ProxyHeader, parseProxyProtocol } from '../../src/sniff/proxy-protocol.ts';
import { buildClientHello } from '../support/client-hello.ts';
import { TestDaemon } from '../support/daemon.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { CLAIM, CLIENT, ENDPOINT, v2 } from '../support/proxy-protocol.ts';
import { Scope } from '../support/scope.ts';
import { CONNECT_GRANTED, connectRequest, openTunnel } from '../support/tunnel.ts';
import { Upstream } from '../support/upstream.ts';

const hello = Buffer.from(buildClientHello({ serverName: 'allowed.example' }));
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: allowed.example\r\n\r\n`;

/** The header that the bytes begin with, and those behind it. */
function split(bytes: Buffer): { header: ProxyHeader; rest: Buffer } {
  const header = parseProxyProtocol(bytes);
  if (header.kind !== 'done') throw new Error(`${JSON.stringify(header)} for ${bytes.toString('hex')}`);
  return { header, rest: bytes.subarray(header.consumed) };
}

describePlanes('PROXY protocol to upstreams', dataplane => {
  const scope = new Scope();
  let upstream: Upstream;
  let upstream6: Upstream;
  let daemon: TestDaemon;

  beforeAll(async () => {
    upstream = await Upstream.listen();
    scope.defer(() => upstream.close());
    upstream6 = await Upstream.listen(() => {}, { host: '::1' });
    scope.defer(() => upstream6.close());
    const { port } = upstream;
    const listener = (name: string, kind: string, rest: object) => ({
      name,
      kind,
      address: '127.0.0.1:0',
      ...(kind === 'sni' ? { upstreamPort: port } : {}),
      ...rest,
    });
    daemon = await TestDaemon.start({
      policy: {
        rules: [
          { name: 'upstream', hosts: ['allowed.example'], ports: [port] },
          { name: 'six', hosts: ['six.example'], ports: [upstream6.port] },
          { name: 'ssh', hosts: ['ssh.example'], ports: [port], protocol: 'tcp' },
        ],
      },
      config: {
        dataplane,
        workers: 2,
        listeners: [
          listener('v1', 'sni', { sendProxyProtocol: 'v1' }),
          listener('v2', 'sni', { sendProxyProtocol: 'v2' }),
          listener('proxy', 'explicit', { sendProxyProtocol: 'v2' }),
          listener('chain', 'sni', {
            proxyProtocol: 'require',
            trusted: ['127.0.0.1'],
            sendProxyProtocol: 'v2',
          }),
        ],
        dns: {
          hosts: { 'allowed.example': '127.0.0.1', 'ssh.example': '127.0.0.1', 'six.example': '::1' },
        },
        destinations: { allow: ['127.0.0.0/8', '::1'] },
      },
    });
    scope.defer(() => daemon.kill());
  });
  afterAll(async () => {
    await scope.close();
  });

  const from = (client: Peer, port: number, destination = '127.0.0.1', ip = '127.0.0.1') => ({
    source: { ip, port: client.port },
    destination: { ip: destination, port },
  });

  it.each([
    ['v1', 1],
    ['v2', 2],
  ])('%s: the header goes before the hello', async (name, version) => {
    const before = upstream.peers.length;
    const client = await Peer.dial(daemon.port(name));
    await client.send(hello);
    const served = await upstream.peer(before);
    // As far as the kernel keeps segments apart, what comes in one is read at once.
    const { header, rest } = split(await served.atLeast(1));
    expect(rest).toEqual(hello);
    expect(header).toMatchObject({ version, addresses: from(client, upstream.port) });
    client.finish();
    await served.end();
    served.finish();
    await client.end();
    const { close } = await daemon.flow(client.port);
    expect(close).toMatchObject({ bytes_out: served.received, end: 'client_fin' });
  });

  it.each(['connect', 'socks5'] as const)('it goes before the hello inside a %s tunnel', async kind => {
    const before = upstream.peers.length;
    const client = await openTunnel(kind, daemon.port('proxy'), 'allowed.example', upstream.port);
    await client.send(hello);
    const { header, rest } = split(await (await upstream.peer(before)).atLeast(1));
    expect(rest).toEqual(hello);
    expect(header.addresses).toEqual(from(client, upstream.port));
    client.reset();
  });

  it('a server that speaks first gets it at once', async () => {
    const before = upstream.peers.length;
    const client = await Peer.dial(daemon.port('proxy'));
    await client.send(connectRequest(`ssh.example:${upstream.port}`));
    const served = await upstream.peer(before);
    const { header, rest } = split(await served.atLeast(1));
    expect(header.addresses).toEqual(from(client, upstream.port));
    expect(rest).toHaveLength(0);
    await served.send('SSH-2.0-first\r\n');
    await client.atLeast(CONNECT_GRANTED.length + 15);
    expect(client.text).toBe(`${CONNECT_GRANTED}SSH-2.0-first\r\n`);
    client.reset();
  });

  it('an upstream of the other family is told mapped addresses', async () => {
    const before = upstream6.peers.length;
    const client = await openTunnel('connect', daemon.port('proxy'), 'six.example', upstream6.port);
    await client.send(Buffer.from(buildClientHello({ serverName: 'six.example' })));
    const { header } = split(await (await upstream6.peer(before)).atLeast(1));
    expect(header.addresses).toEqual(from(client, upstream6.port, '::1', '::ffff:7f00:1'));
    client.reset();
  });

  it('what a load balancer said is passed on, its VPC endpoint too', async () => {
    const before = upstream.peers.length;
    const client = await Peer.dial(daemon.port('chain'));
    await client.send(Buffer.concat([v2(CLAIM, ENDPOINT), hello]));
    const { header, rest } = split(await (await upstream.peer(before)).atLeast(1));
    expect(rest).toEqual(hello);
    expect(header).toMatchObject({
      addresses: { source: CLIENT, destination: { ip: '127.0.0.1', port: upstream.port } },
      vpcEndpointId: ENDPOINT,
    });
    client.reset();
  });

  describe('plain HTTP', () => {
    const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

    it('each connection begins with it, and none is shared by two clients', async () => {
      const before = upstream.peers.length;
      const clients = [await Peer.dial(daemon.port('v2')), await Peer.dial(daemon.port('v2'))];
      for (const [i, client] of clients.entries()) {
        await client.send(get('/1'));
        const served = await upstream.peer(before + i);
        const { header, rest } = split(await served.atLeast(1));
        expect(header.addresses).toEqual(from(client, upstream.port));
        expect(rest.toString('latin1')).toMatch(/^GET \/1 HTTP\/1\.1\r\n/);
        await served.send(answer);
        await client.atLeast(answer.length);
      }
      expect(upstream.peers).toHaveLength(before + 2);
      for (const [i, client] of clients.entries()) {
        const served = await upstream.peer(before + i);
        const already = served.received;
        await client.send(get('/2'));
        const bytes = await served.atLeast(already + 1);
        expect(bytes.subarray(already).toString('latin1')).toMatch(/^GET \/2 HTTP\/1\.1\r\n/);
        client.reset();
      }
      expect(upstream.peers).toHaveLength(before + 2);
    });

    it('one that is dialled again begins with it again', async () => {
      const before = upstream.peers.length;
      const client = await Peer.dial(daemon.port('v2'));
      for (const i of [0, 1]) {
        const got = client.received;
        await client.send(get(`/${i}`));
        const served = await upstream.peer(before + i);
        const { header } = split(await served.atLeast(1));
        expect(header.addresses).toEqual(from(client, upstream.port));
        await served.send(answer.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
        served.finish();
        await client.atLeast(got + 40);
      }
      client.reset();
    });
  });
});
