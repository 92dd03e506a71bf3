import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { buildClientHello } from '../support/client-hello.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { startEgress } from '../support/egress.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { buildServerHello } from '../support/server-hello.ts';
import { until } from '../support/until.ts';
import { Upstream } from '../support/upstream.ts';

const hello = buildClientHello();
const answer = buildServerHello();
const LIMIT = 200;
const HOG = fileURLToPath(new URL('../fixtures/hog-descriptors.mjs', import.meta.url));

describePlanes('when descriptors run out', dataplane => {
  let scope = new Scope();

  afterEach(async () => {
    await scope.close();
    scope = new Scope();
  });

  /** A daemon in which a signal uses up all descriptors but `leaves`, and another frees them. */
  async function start(leaves: number): Promise<TestDaemon> {
    const upstream = await Upstream.listen(peer => {
      peer.socket.once('data', () => peer.socket.write(answer));
      peer.socket.once('end', () => peer.socket.end());
    });
    scope.defer(() => upstream.close());
    const daemon = await startEgress({
      dataplane,
      upstreamPort: upstream.port,
      limits: { helloTimeout: '500ms' },
      prefix: ['sh', '-c', `ulimit -n ${LIMIT}; exec "$@"`, 'sh'],
      nodeArgs: ['--import', HOG],
      env: { HOG_LEAVES: String(leaves) },
    });
    scope.defer(() => daemon.kill());
    return daemon;
  }

  async function isServed(daemon: TestDaemon): Promise<boolean> {
    const peer = await Peer.dial(daemon.port('tls'));
    await peer.send(hello);
    await peer.atLeast(answer.length);
    peer.finish();
    return (await peer.end()) === 'fin';
  }

  async function hog(daemon: TestDaemon, isFull: (open: number) => boolean): Promise<void> {
    daemon.process.kill('SIGUSR2');
    const open = () => readdirSync(`/proc/${daemon.process.pid}/fd`).length;
    await until('the descriptors are used or free', () => isFull(open()));
  }

  it.skipIf(process.platform !== 'linux')(
    'clients are reset, the log says so once each way, and then they are served again',
    async () => {
      const daemon = await start(0);
      expect(await isServed(daemon)).toBe(true);
      await hog(daemon, open => open >= LIMIT - 1);
      for (let i = 0; i < 20; i++) {
        const ended = await Peer.dial(daemon.port('tls')).then(
          peer => peer.end(),
          () => 'reset',
        );
        expect(['reset', 'fin']).toContain(ended);
      }
      await daemon.line(line => line.event === 'accept_paused');
      await hog(daemon, open => open < LIMIT / 2);
      await daemon.line(line => line.event === 'accept_resumed');
      expect(await isServed(daemon)).toBe(true);
      expect(daemon.lines.filter(line => line.event === 'accept_paused')).toHaveLength(1);
      expect(daemon.lines.filter(line => line.event === 'accept_resumed')).toHaveLength(1);
      expect(await daemon.metric('sallyport_accepting')).toBe(1);
      if (dataplane === 'epoll') {
        const shed = await daemon.metric('sallyport_limit_rejections_total', '{limit="descriptors"}');
        // One that came as a descriptor was free for a moment was let in, and timed out.
        expect(shed).toBeGreaterThan(10);
      }
      expect(daemon.otherOutput).toEqual([]);
    },
  );

  // The portable data plane cannot let clients wait.
  if (dataplane === 'portable') return;
  it.skipIf(process.platform !== 'linux')('all but a few, clients wait until there are more', async () => {
    const daemon = await start(6);
    await hog(daemon, open => open >= LIMIT - 8);
    // Several, silent ones: the first may get a low number that happens to be free.
    const silent = await Promise.all(Array.from({ length: 4 }, () => Peer.dial(daemon.port('tls'))));
    await daemon.line(line => line.event === 'accept_paused');
    const late = isServed(daemon);
    await hog(daemon, open => open < LIMIT / 2);
    expect(await late).toBe(true);
    for (const peer of silent) peer.reset();
    expect(await daemon.metric('sallyport_limit_rejections_total', '{limit="descriptors"}')).toBe(0);
  });
});
