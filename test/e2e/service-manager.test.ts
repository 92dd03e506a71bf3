import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loadFfi } from '../../src/dataplane/epoll/libc.ts';
import { localAddress, openListener } from '../../src/dataplane/epoll/sockets.ts';
import { ip } from '../resolve/support.ts';
import { ConnectStorm } from '../support/connect-storm.ts';
import { TestDaemon } from '../support/daemon.ts';
import { allowedExample } from '../support/egress.ts';
import { NotifySocket } from '../support/notify-socket.ts';
import type { Plane } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { buildServerHello } from '../support/server-hello.ts';
import { Upstream } from '../support/upstream.ts';

const answer = buildServerHello();
/** Sets the pid that the sockets are meant for, as a service manager does between fork and exec. */
const AS_MANAGER = ['sh', '-c', 'LISTEN_PID=$$ exec "$0" "$@"'];

describe.skipIf(process.platform !== 'linux')('under a service manager (Linux only)', () => {
  const scope = new Scope();
  const perTest = new Scope();
  let upstream: Upstream;

  beforeAll(async () => {
    upstream = await Upstream.listen(peer => {
      peer.socket.once('data', () => void peer.send(answer));
      peer.socket.on('end', () => peer.finish());
    });
    scope.defer(() => upstream.close());
  });
  afterEach(() => perTest.close());
  afterAll(() => scope.close());

  /** Listening sockets of ours, all on one port. */
  function openSockets(count: number): { port: number; fds: number[] } {
    const { libc } = loadFfi();
    const first = openListener(libc, ip('127.0.0.1'), 0);
    const { port } = localAddress(libc, first);
    const fds = [first];
    while (fds.length < count) fds.push(openListener(libc, ip('127.0.0.1'), port));
    perTest.defer(() => fds.map(fd => libc.close(fd)));
    return { port, fds };
  }

  function launch(
    dataplane: Plane,
    port: number,
    fds: readonly number[],
    env: NodeJS.ProcessEnv = {},
    workers = 2,
  ): TestDaemon {
    const daemon = TestDaemon.launch({
      policy: allowedExample(upstream.port),
      config: {
        dataplane,
        workers,
        listeners: [{ name: 'tls', kind: 'sni', address: `127.0.0.1:${port}`, upstreamPort: upstream.port }],
        dns: { hosts: { 'allowed.example': '127.0.0.1' } },
        destinations: { allow: ['127.0.0.0/8'] },
      },
      prefix: AS_MANAGER,
      descriptors: fds,
      env: { LISTEN_FDS: String(fds.length), ...env },
    });
    perTest.defer(() => daemon.kill());
    return daemon;
  }

  async function restarted(
    dataplane: Plane,
    configured: number,
    sockets: { port: number; fds: number[] },
    env: NodeJS.ProcessEnv = {},
  ): Promise<void> {
    let daemon = launch(dataplane, configured, sockets.fds, env);
    await daemon.line(line => line.event === 'ready');
    expect(daemon.port('tls')).toBe(sockets.port);
    const storm = new ConnectStorm(sockets.port, answer.length, 8);
    await storm.more(50);
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
    daemon = launch(dataplane, configured, sockets.fds, env);
    await daemon.line(line => line.event === 'ready');
    await storm.more(50);
    expect((await storm.end()).failures).toEqual({});
  }

  it.each(['epoll', 'portable'] as const)(
    '%s: a restart on sockets that the manager holds refuses and resets nobody',
    async dataplane => {
      const sockets = openSockets(2);
      await restarted(dataplane, sockets.port, sockets);
    },
  );

  it('one socket is shared by the workers', async () => {
    const sockets = openSockets(1);
    await restarted('epoll', sockets.port, sockets);
  });

  it('a socket may be named after its listener, whatever its address', async () => {
    await restarted('epoll', 1, openSockets(1), { LISTEN_FDNAMES: 'tls' });
  });

  it('a socket that no listener wants: says so, and ends with 1', async () => {
    const { port, fds } = openSockets(1);
    const daemon = launch('epoll', 0, fds);
    expect((await daemon.exited).code).toBe(1);
    expect(daemon.output()).toContain(`passed a socket that listens on 127.0.0.1:${port}`);
  });

  it('sockets that are meant for another process are left alone', async () => {
    const { port, fds } = openSockets(1);
    const other = TestDaemon.launch({
      policy: allowedExample(upstream.port),
      descriptors: fds,
      env: { LISTEN_FDS: '1', LISTEN_PID: '1' },
    });
    perTest.defer(() => other.kill());
    await other.line(line => line.event === 'ready');
    expect(other.port('tls')).not.toBe(port);
  });

  it('serves also when the manager cannot be told, and says so', async () => {
    const daemon = TestDaemon.launch({
      policy: allowedExample(upstream.port),
      env: { NOTIFY_SOCKET: '/nonexistent/notify' },
    });
    perTest.defer(() => daemon.kill());
    await daemon.line(line => line.event === 'ready');
    const warning = daemon.lines.find(line => line.event === 'service_manager');
    expect(warning?.msg).toContain('NOTIFY_SOCKET=/nonexistent/notify cannot be told');
  });

  it('tells it that it is ready, alive, and stopping', async () => {
    const manager = new NotifySocket();
    perTest.defer(() => manager.close());
    const daemon = TestDaemon.launch({
      policy: allowedExample(upstream.port),
      config: { limits: { drainTimeout: '7s' } },
      env: { NOTIFY_SOCKET: manager.path, WATCHDOG_USEC: '300000' },
    });
    perTest.defer(() => daemon.kill());
    expect(await manager.said('READY=1')).toMatch(/\nSTATUS=ready: listening for proxy on /);
    await manager.said('WATCHDOG=1');
    daemon.process.kill('SIGTERM');
    expect(await manager.said('STOPPING=1')).toContain('EXTEND_TIMEOUT_USEC=12000000');
    expect(await daemon.exited).toEqual({ code: 0, signal: null });
  });
});
