import { afterEach, expect, it } from 'vitest';
import { buildClientHello } from '../support/client-hello.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { pairRecords, startEgress } from '../support/egress.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { buildServerHello } from '../support/server-hello.ts';
import { CONNECT_GRANTED, connectRequest } from '../support/tunnel.ts';
import { until } from '../support/until.ts';
import { Upstream } from '../support/upstream.ts';

const hello = buildClientHello();
const answer = buildServerHello();
const SLOW = '127.0.0.2';
const OTHER = '127.0.0.3';

describePlanes('clients whose opening does not come', dataplane => {
  let scope = new Scope();
  let upstreamPort = 0;

  afterEach(async () => {
    await scope.close();
    scope = new Scope();
  });

  async function start(limits: Readonly<Record<string, unknown>>, log = {}): Promise<TestDaemon> {
    const upstream = await Upstream.listen(peer => {
      peer.socket.once('data', () => peer.socket.write(answer));
      peer.socket.once('end', () => peer.socket.end());
    });
    scope.defer(() => upstream.close());
    upstreamPort = upstream.port;
    const daemon = await startEgress({
      dataplane,
      upstreamPort: upstream.port,
      limits: { helloTimeout: '1m', ...limits },
      config: { log: { fold: '0s', ...log } },
    });
    scope.defer(() => daemon.kill());
    return daemon;
  }

  async function dial(daemon: TestDaemon, source: string, listener = 'tls'): Promise<Peer> {
    const peer = await Peer.dial(daemon.port(listener), '127.0.0.1', source);
    scope.defer(() => peer.socket.destroy());
    return peer;
  }

  /** Until so many connections were accepted: the kernel takes them before. */
  function accepted(daemon: TestDaemon, count: number): Promise<void> {
    return until(
      `${count} flows are open`,
      async () => (await daemon.metric('sallyport_open_flows', '{listener="tls"}')) === count,
    );
  }

  /** How a connection of which nothing comes ends. A reset can be there before `connect` is told. */
  async function ended(daemon: TestDaemon, source: string, listener = 'tls'): Promise<string> {
    try {
      return await (await dial(daemon, source, listener)).end();
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ECONNRESET' ? 'reset' : String(error);
    }
  }

  async function isServed(peer: Peer): Promise<boolean> {
    await peer.send(hello);
    await peer.atLeast(answer.length);
    peer.finish();
    return (await peer.end()) === 'fin';
  }

  const rejections = (daemon: TestDaemon, limit: string) =>
    daemon.metric('sallyport_limit_rejections_total', `{limit="${limit}"}`);

  it('are so many of a source at most; the newest are reset, other sources served', async () => {
    const daemon = await start({ undecidedPerSource: 8 });
    const slow: Peer[] = [];
    for (let i = 0; i < 8; i++) slow.push(await dial(daemon, SLOW));
    for (const peer of slow) await peer.send(hello.subarray(0, 20));
    await accepted(daemon, 8);
    const late = await Promise.all(Array.from({ length: 12 }, () => ended(daemon, SLOW)));
    expect(new Set(late)).toEqual(new Set(['reset']));
    expect(await isServed(await dial(daemon, OTHER))).toBe(true);
    for (const peer of slow) await peer.send(hello.subarray(20));
    await Promise.all(slow.map(peer => peer.atLeast(answer.length)));
    // Those that are known do not count, open as they are.
    expect(await isServed(await dial(daemon, SLOW))).toBe(true);
    expect(await daemon.metric('sallyport_undecided_flows')).toBe(0);
    for (const peer of slow) peer.finish();
    await daemon.collect(line => line.event === 'close', 22);
    const refused = pairRecords(daemon.lines).filter(
      ({ decision }) => decision.reason === 'undecided_source_limit',
    );
    expect(refused).toHaveLength(12);
    expect(refused[0]).toMatchObject({
      decision: { src_ip: SLOW, hostname: null, state: 'DENIED', action: 'deny' },
      close: { end: 'refused', bytes_in: 0, bytes_out: 0 },
    });
    expect(await rejections(daemon, 'undecidedPerSource')).toBe(12);
  });

  it('are so many in all', async () => {
    const daemon = await start({ undecided: 5 });
    for (let i = 0; i < 5; i++) await dial(daemon, `127.0.0.${10 + i}`);
    await accepted(daemon, 5);
    expect(await ended(daemon, OTHER)).toBe('reset');
    await daemon.line(line => line.reason === 'undecided_limit' && line.src_ip === OTHER);
    expect(await rejections(daemon, 'undecided')).toBe(1);
  });

  it('are as many as come without limits', async () => {
    const daemon = await start({ undecided: 0, undecidedPerSource: 0 });
    const slow = await Promise.all(Array.from({ length: 140 }, () => dial(daemon, SLOW)));
    expect(await isServed(await dial(daemon, SLOW))).toBe(true);
    for (const peer of slow) peer.finish();
    await daemon.collect(line => line.event === 'close', 141);
    expect(daemon.lines.filter(line => line.reason === 'undecided_source_limit')).toEqual([]);
  });

  it('count behind a CONNECT that was granted, too', async () => {
    const daemon = await start({ undecidedPerSource: 2 });
    const tunnels: Peer[] = [];
    for (let i = 0; i < 2; i++) {
      const peer = await dial(daemon, SLOW, 'proxy');
      await peer.send(connectRequest(`allowed.example:${upstreamPort}`));
      await peer.atLeast(CONNECT_GRANTED.length);
      tunnels.push(peer);
    }
    expect(await ended(daemon, SLOW, 'proxy')).toBe('reset');
    for (const peer of tunnels) {
      await peer.send(hello);
      await peer.atLeast(CONNECT_GRANTED.length + answer.length);
    }
    expect(await isServed(await dial(daemon, SLOW))).toBe(true);
  });

  it('are folded into a line when they are many', async () => {
    const daemon = await start({ undecidedPerSource: 1 }, { fold: '10s' });
    const first = await dial(daemon, SLOW);
    await accepted(daemon, 1);
    for (let i = 0; i < 30; i++) await ended(daemon, SLOW);
    first.reset();
    await daemon.stop();
    const said = daemon.lines.filter(line => line.reason === 'undecided_source_limit');
    expect(said.map(line => Number(line.suppressed ?? 0)).sort()).toEqual([0, 28]);
  });
});
