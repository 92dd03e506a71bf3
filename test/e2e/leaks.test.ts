import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildClientHello } from '../support/client-hello.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { pairRecords, startEgress } from '../support/egress.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { buildServerHello } from '../support/server-hello.ts';
import { SOCKS_GREETING } from '../support/tunnel.ts';
import { until } from '../support/until.ts';
import { Upstream } from '../support/upstream.ts';

const hello = buildClientHello();
const deniedHello = buildClientHello({ serverName: 'denied.example' });
const answer = buildServerHello();
/** Heaps grow to their working size first. */
const WARM_UP = 6_000;
const ROUND = 2_000;
const ROUNDS = 5;
const AT_ONCE = 64;
/** The admin connection that `fetch` keeps alive. */
const SPARE_DESCRIPTORS = 1;
const MIB = 1024 * 1024;

interface Ports {
  readonly tls: number;
  readonly proxy: number;
}

/** What a client does with its flow; each leaves nothing behind. */
const LIVES: readonly ((ports: Ports) => Promise<void>)[] = [
  async function served({ tls }) {
    const client = await Peer.dial(tls);
    await client.send(hello);
    await client.atLeast(answer.length);
    client.finish();
    await client.end();
  },
  async function denied({ tls }) {
    const client = await Peer.dial(tls);
    await client.send(deniedHello);
    await client.end();
    client.finish();
  },
  async function resetWhileRelaying({ tls }) {
    const client = await Peer.dial(tls);
    await client.send(hello);
    await client.atLeast(answer.length);
    client.reset();
  },
  // The answer to the greeting says that the connection was accepted: reset before that, it may never be a flow.
  async function resetBeforeTheRequest({ proxy }) {
    const client = await Peer.dial(proxy);
    await client.send(SOCKS_GREETING);
    await client.atLeast(2);
    client.reset();
  },
  async function halfClosedAtOnce({ tls }) {
    const client = await Peer.dial(tls);
    client.socket.end(hello);
    await client.end();
  },
];

describePlanes('ten thousand flows', dataplane => {
  const scope = new Scope();
  let daemon: TestDaemon;
  let upstream: Upstream;

  beforeAll(async () => {
    upstream = await Upstream.listen(
      peer => {
        peer.socket.once('data', () => peer.socket.write(answer));
        peer.socket.once('end', () => peer.socket.end());
      },
      { keep: false },
    );
    scope.defer(() => upstream.close());
    daemon = await startEgress({
      dataplane,
      upstreamPort: upstream.port,
      // As the image has it: a larger one takes more than these flows to grow to its size.
      env: { NODE_OPTIONS: '--max-semi-space-size=4' },
    });
    scope.defer(() => daemon.kill());
  });
  afterAll(() => scope.close());

  async function run(count: number): Promise<void> {
    let next = 0;
    const ports = { tls: daemon.port('tls'), proxy: daemon.port('proxy') };
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (next < count) await LIVES[next++ % LIVES.length]?.(ports);
      }),
    );
  }

  const closed = (count: number) => daemon.collect(line => line.event === 'close', count);
  const openFlows = async () =>
    (await daemon.metric('sallyport_open_flows', '{listener="tls"}')) +
    (await daemon.metric('sallyport_open_flows', '{listener="proxy"}'));

  it.skipIf(process.platform !== 'linux')('leave no descriptor, no flow and no memory behind', async () => {
    const descriptors = () => readdirSync(`/proc/${daemon.process.pid}/fd`).length;
    const idleDescriptors = descriptors();
    await run(WARM_UP);
    await closed(WARM_UP);
    // What is resident swings with the collector; its lows do not, unless something stays.
    const resident: number[] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      await run(ROUND);
      await closed(WARM_UP + round * ROUND);
      resident.push(residentBytes(daemon));
    }
    await until('no flow is open', async () => (await openFlows()) === 0);
    expect(await daemon.metric('sallyport_undecided_flows')).toBe(0);
    await until(
      `descriptors are back to ${idleDescriptors}`,
      () => descriptors() <= idleDescriptors + SPARE_DESCRIPTORS,
    );
    expect(Math.min(...resident.slice(-2)) - Math.min(...resident.slice(0, 2))).toBeLessThan(40 * MIB);
    expect(pairRecords(daemon.lines)).toHaveLength(WARM_UP + ROUNDS * ROUND);
    expect(daemon.otherOutput).toEqual([]);
  });
});

function residentBytes({ process: { pid } }: TestDaemon): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return Number(kib) * 1024;
}
