import { beforeAll, expect, it } from 'vitest';
import { buildClientHello } from '../support/client-hello.ts';
import { TestDaemon } from '../support/daemon.ts';
import { Peer } from '../support/peer.ts';
import { describeWith, NGINX_STREAM } from '../support/programs.ts';
import { startHaproxy, startNginx } from '../support/proxy-protocol-programs.ts';
import type { Scope } from '../support/scope.ts';
import { CONNECT_GRANTED, connectRequest } from '../support/tunnel.ts';
import { Upstream } from '../support/upstream.ts';

const hello = Buffer.from(buildClientHello({ serverName: 'allowed.example' }));

/** A daemon between `upstream` and whoever is trusted: `from`, `v1` and `v2` are its listeners. */
async function startBetween(scope: Scope, upstreamPort: number): Promise<TestDaemon> {
  const listener = (name: string, keys: object) => ({
    name,
    kind: 'sni',
    address: '127.0.0.1:0',
    upstreamPort,
    ...keys,
  });
  const daemon = await TestDaemon.start({
    policy: {
      rules: [
        { name: 'upstream', hosts: ['allowed.example'], ports: [upstreamPort] },
        { name: 'speaks-first', hosts: ['ssh.example'], ports: [upstreamPort], protocol: 'tcp' },
      ],
    },
    config: {
      listeners: [
        listener('from', { proxyProtocol: 'require', trusted: ['127.0.0.0/8', '::1'] }),
        listener('v1', { sendProxyProtocol: 'v1' }),
        listener('v2', { sendProxyProtocol: 'v2' }),
        { name: 'proxy', kind: 'explicit', address: '127.0.0.1:0', sendProxyProtocol: 'v1' },
      ],
      dns: { hosts: { 'allowed.example': '127.0.0.1', 'ssh.example': '127.0.0.1' } },
      destinations: { allow: ['127.0.0.0/8'] },
    },
  });
  scope.defer(() => daemon.kill());
  return daemon;
}

/** Says the hello to a balancer in front of the daemon; the flow is of the client that is behind it. */
async function throughBalancer(daemon: TestDaemon, upstream: Upstream, port: number, host: string) {
  const before = upstream.peers.length;
  const client = await Peer.dial(port, host);
  await client.send(hello);
  const served = await upstream.peer(before);
  expect(await served.atLeast(hello.length)).toEqual(hello);
  await served.send('answer');
  await client.atLeast('answer'.length);
  client.finish();
  served.finish();
  await client.end();
  expect((await daemon.flow(client.port)).decision).toMatchObject({
    src_ip: host,
    src_port: client.port,
    listener: 'from',
    action: 'allow',
  });
}

describeWith('haproxy', 'HAProxy', scope => {
  let upstream: Upstream;
  let sending: TestDaemon;
  let told: TestDaemon;
  let ports = { v1: 0, v2: 0, accept: 0 };

  beforeAll(async () => {
    upstream = await Upstream.listen();
    scope.defer(() => upstream.close());
    sending = await startBetween(scope, upstream.port);
    ports = await startHaproxy(scope, sending.port('from'), {
      v1: 'send-proxy check inter 100ms',
      v2: 'send-proxy-v2 proxy-v2-options crc32c check inter 100ms',
    });
    told = await startBetween(scope, ports.accept);
  });

  it.each([
    ['send-proxy', 'v1'],
    ['send-proxy-v2', 'v2'],
  ] as const)('in front, with %s: flows are of its clients, and its checks are none', async (_, key) => {
    const before = sending.lines.length;
    for (const host of ['127.0.0.1', '::1']) await throughBalancer(sending, upstream, ports[key], host);
    const others = sending.lines
      .slice(before)
      .filter(
        ({ event, listener, action }) => event === 'decision' && listener === 'from' && action !== 'allow',
      );
    expect(others).toEqual([]);
  });

  it.each(['v1', 'v2'])('behind, with accept-proxy: is told the client by %s', async name => {
    const client = await Peer.dial(told.port(name));
    await client.send('GET / HTTP/1.1\r\nHost: allowed.example\r\nConnection: close\r\n\r\n');
    await client.end();
    const seen = client.text.split('\r\n\r\n')[1] ?? '';
    expect(seen).toContain(`127.0.0.1 ${client.port} 127.0.0.1 ${ports.accept}`);
  });
});

describeWith(
  'nginx',
  'nginx',
  scope => {
    let upstream: Upstream;
    let sending: TestDaemon;
    let told: TestDaemon;
    let ports = { send: 0, accept: 0 };

    beforeAll(async () => {
      upstream = await Upstream.listen();
      scope.defer(() => upstream.close());
      sending = await startBetween(scope, upstream.port);
      ports = await startNginx(scope, sending.port('from'));
      told = await startBetween(scope, ports.accept);
    });

    it.each(['127.0.0.1', '::1'])(
      'in front, with proxy_protocol on: flows are of its clients, from %s',
      host => throughBalancer(sending, upstream, ports.send, host),
    );

    it.each(['v1', 'v2'])('behind, with listen proxy_protocol: is told the client by %s', async name => {
      const client = await Peer.dial(told.port(name));
      await client.send(hello);
      await client.end();
      expect(client.text).toBe(`127.0.0.1 ${client.port} 127.0.0.1 ${ports.accept}`);
    });

    it('behind, speaking first: is told the client at once', async () => {
      const client = await Peer.dial(told.port('proxy'));
      await client.send(connectRequest(`ssh.example:${ports.accept}`));
      await client.end();
      expect(client.text).toBe(`${CONNECT_GRANTED}127.0.0.1 ${client.port} 127.0.0.1 ${ports.accept}`);
    });
  },
  NGINX_STREAM,
);
