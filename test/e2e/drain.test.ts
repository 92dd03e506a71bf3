import { createServer, type ServerResponse } from 'node:http';
import { afterEach, expect, it } from 'vitest';
import * as c from '../../src/dataplane/epoll/libc.ts';
import { localAddress, openListener } from '../../src/dataplane/epoll/sockets.ts';
import { ip } from '../resolve/support.ts';
import { buildClientHello } from '../support/client-hello.ts';
import { ConnectStorm } from '../support/connect-storm.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { pairRecords, startEgress } from '../support/egress.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { buildServerHello } from '../support/server-hello.ts';
import { openTunnel } from '../support/tunnel.ts';
import { until } from '../support/until.ts';
import { listenOn, Upstream } from '../support/upstream.ts';

const hello = buildClientHello();
const answer = buildServerHello();

/** Brings a flow into some state; what it returns ends it, after the drain has begun. */
type Begin = (daemon: TestDaemon, upstream: Upstream) => Promise<() => Promise<void>>;

async function served(client: Peer, upstream: Upstream, before: number): Promise<void> {
  await client.send(hello);
  const server = await upstream.peer(before);
  await server.send(answer);
  await client.atLeast(answer.length);
  client.finish();
  await server.end();
  server.finish();
  expect(await client.end()).toBe('fin');
}

describePlanes('a flow that is open when the drain begins, and ends in time', dataplane => {
  const scope = new Scope();
  afterEach(() => scope.close());

  const begun: readonly (readonly [string, Begin])[] = [
    [
      'not a byte said',
      async (daemon, upstream) => {
        const client = await Peer.dial(daemon.port('tls'));
        return () => served(client, upstream, 0);
      },
    ],
    [
      'in the middle of the hello',
      async (daemon, upstream) => {
        const client = await Peer.dial(daemon.port('tls'));
        await client.send(hello.subarray(0, 30));
        return async () => {
          await client.send(hello.subarray(30));
          const server = await upstream.peer();
          await server.send(answer);
          await client.atLeast(answer.length);
          client.finish();
          await server.end();
          server.finish();
          expect(await client.end()).toBe('fin');
        };
      },
    ],
    [
      'a tunnel that was granted and not used yet',
      async (daemon, upstream) => {
        const client = await openTunnel('connect', daemon.port('proxy'), 'allowed.example', upstream.port);
        return () => served(client, upstream, 0);
      },
    ],
    [
      'half-closed',
      async (daemon, upstream) => {
        const client = await Peer.dial(daemon.port('tls'));
        await client.send(hello);
        const server = await upstream.peer();
        await server.send(answer);
        await client.atLeast(answer.length);
        client.finish();
        await server.end();
        return async () => {
          await server.send(Buffer.alloc(100_000));
          server.finish();
          expect(await client.end()).toBe('fin');
          expect(client.received).toBe(answer.length + 100_000);
        };
      },
    ],
  ];

  async function startDaemon(upstreamPort: number): Promise<TestDaemon> {
    const daemon = await startEgress({ dataplane, upstreamPort, limits: { drainTimeout: '60s' } });
    scope.defer(() => daemon.kill());
    return daemon;
  }

  async function draining(daemon: TestDaemon): Promise<void> {
    await until('the flow is open', async () => {
      const of = (listener: string) => daemon.metric('sallyport_open_flows', `{listener="${listener}"}`);
      return (await of('tls')) + (await of('proxy')) === 1;
    });
    daemon.process.kill('SIGTERM');
    expect(await daemon.line(line => line.event === 'drain')).toMatchObject({ open_flows: 1 });
  }

  async function expectOneFlow(daemon: TestDaemon): Promise<void> {
    expect(await daemon.exited).toEqual({ code: 0, signal: null });
    expect(pairRecords(daemon.lines)).toMatchObject([
      { decision: { action: 'allow' }, close: { end: 'client_fin' } },
    ]);
    expect(daemon.lines.at(-1)).toMatchObject({ event: 'drained', cut: 0 });
  }

  it.each(begun)('%s', async (_state, begin) => {
    const upstream = await Upstream.listen();
    scope.defer(() => upstream.close());
    const daemon = await startDaemon(upstream.port);
    const goOn = await begin(daemon, upstream);
    await draining(daemon);
    await goOn();
    await expectOneFlow(daemon);
  });

  it('under steady connects: whoever was accepted is served', async () => {
    const upstream = await Upstream.listen(
      peer => {
        peer.socket.once('data', () => void peer.send(answer));
        peer.socket.on('end', () => peer.finish());
      },
      { keep: false },
    );
    scope.defer(() => upstream.close());
    const daemon = await startDaemon(upstream.port);
    const storm = new ConnectStorm(daemon.port('tls'), answer.length);
    await storm.more(200);
    daemon.process.kill('SIGTERM');
    expect(await daemon.exited).toEqual({ code: 0, signal: null });
    const { answered } = await storm.end();
    const flows = pairRecords(daemon.lines);
    expect(flows).toHaveLength(answered);
    for (const { close } of flows) expect(close).toMatchObject({ end: 'client_fin' });
    expect(daemon.lines.at(-1)).toMatchObject({ event: 'drained', cut: 0 });
  });

  it('plain HTTP in the middle of an answer: gets the rest, and then the end', async () => {
    let response: ServerResponse | null = null;
    const server = createServer((_request, answering) => {
      response = answering;
      answering.writeHead(200, { 'content-length': 10 });
      answering.write('first');
    });
    scope.defer(() => server.close());
    const port = await listenOn(server);
    const daemon = await startDaemon(port);
    const client = await Peer.dial(daemon.port('proxy'));
    const authority = `allowed.example:${port}`;
    await client.send(`GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
    while (!client.text.endsWith('first')) await client.atLeast(client.received + 1);
    await draining(daemon);
    (response as ServerResponse | null)?.end('other');
    expect(await client.end()).toBe('fin');
    expect(client.text).toMatch(/firstother$/);
    expect(await daemon.exited).toEqual({ code: 0, signal: null });
    expect(pairRecords(daemon.lines)).toHaveLength(1);
    expect(daemon.lines.at(-1)).toMatchObject({ event: 'drained', cut: 0 });
  });

  it.skipIf(process.platform !== 'linux')('dialling: gets through', async () => {
    // An upstream whose queue is full: it answers no SYN until there is room.
    const { libc } = c.loadFfi();
    const listener = openListener(libc, ip('127.0.0.1'), 0);
    scope.defer(() => libc.close(listener));
    libc.listen(listener, 0);
    const { port } = localAddress(libc, listener);
    const filling = await Peer.dial(port);
    scope.defer(() => filling.socket.destroy());
    const daemon = await startDaemon(port);
    const client = await Peer.dial(daemon.port('tls'));
    await client.send(hello);
    await daemon.line(line => line.event === 'decision');
    await draining(daemon);
    libc.close(libc.accept4(listener, 0, 0, 0));
    // In vain until the SYN comes again.
    let upstream = -1;
    await until('it is connected', () => {
      upstream = libc.accept4(listener, 0, 0, c.SOCK_NONBLOCK);
      return upstream >= 0;
    });
    client.finish();
    libc.close(upstream);
    await client.end();
    expect(await daemon.exited).toEqual({ code: 0, signal: null });
    const [flow] = pairRecords(daemon.lines);
    expect(flow?.close.end).not.toBe('dial_failed');
    expect(flow?.close.end).not.toBe('drained');
  });
});
