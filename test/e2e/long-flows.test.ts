import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TestDaemon } from '../support/daemon.ts';
import { startEgress } from '../support/egress.ts';
import { FLOW_ANSWER, FLOW_HELLO, openFlow } from '../support/open-flow.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { until } from '../support/until.ts';
import { Upstream } from '../support/upstream.ts';

const IDLE_TIMEOUT_MS = 2_000;
const SLOW_BYTES = 64 * 1024 * 1024;

describePlanes('flows that take their time', dataplane => {
  const scope = new Scope();
  let patient: TestDaemon;
  let hasty: TestDaemon;
  let upstream: Upstream;

  beforeAll(async () => {
    upstream = await Upstream.listen();
    scope.defer(() => upstream.close());
    patient = await startEgress({ dataplane, upstreamPort: upstream.port });
    scope.defer(() => patient.kill());
    hasty = await startEgress({
      dataplane,
      upstreamPort: upstream.port,
      limits: { idleTimeout: `${IDLE_TIMEOUT_MS}ms` },
    });
    scope.defer(() => hasty.kill());
  });
  afterAll(() => scope.close());

  const open = (daemon: TestDaemon) => openFlow(daemon, upstream, scope);

  it('a response that starts before the request has ended passes', async () => {
    const { client, server } = await open(patient);
    for (let part = 1; part <= 5; part++) {
      await client.send(`request part ${part};`);
      await server.atLeast(FLOW_HELLO.length + part * 'request part 1;'.length);
      await server.send(`response part ${part};`);
      await client.atLeast(FLOW_ANSWER.length + part * 'response part 1;'.length);
    }
    client.finish();
    server.finish();
    expect((await patient.flow(client.port)).close).toMatchObject({ bytes_out: server.received });
  });

  it('an idle flow stays usable while many others come and go', async () => {
    const idle = await open(patient);
    for (let i = 0; i < 200; i++) {
      const { client, server } = await open(patient);
      client.finish();
      server.finish();
      await client.end();
    }
    await idle.client.send('still here?');
    const asked = await idle.server.atLeast(FLOW_HELLO.length + 'still here?'.length);
    expect(asked.subarray(FLOW_HELLO.length).toString()).toBe('still here?');
    await idle.server.send('still here');
    await idle.client.atLeast(FLOW_ANSWER.length + 'still here'.length);
  });

  it('idleTimeout ends a flow that is silent, both sides with a reset', async () => {
    const { client, server } = await open(hasty);
    expect(await client.end()).toBe('reset');
    expect(await server.end()).toBe('reset');
    const { close } = await hasty.flow(client.port);
    expect(close).toMatchObject({ end: 'idle_timeout' });
    expect(close.duration_ms).toBeGreaterThanOrEqual(IDLE_TIMEOUT_MS);
  });

  it('idleTimeout counts from the last byte of either direction', async () => {
    const { client, server } = await open(hasty);
    const startMs = performance.now();
    let turn = 0;
    while (performance.now() - startMs < 2 * IDLE_TIMEOUT_MS) {
      const [from, to] = turn++ % 2 === 0 ? [client, server] : [server, client];
      const before = to.received;
      await from.send('x');
      await to.atLeast(before + 1);
    }
    expect(await client.end()).toBe('reset');
    const { close } = await hasty.flow(client.port);
    // The last byte went a moment before two timeouts were over.
    expect(close.duration_ms).toBeGreaterThan(2.5 * IDLE_TIMEOUT_MS);
  });

  it.skipIf(process.platform !== 'linux')(
    'a slow reader gets every byte, and the daemon keeps none of them',
    async () => {
      const { client, server } = await open(patient);
      const before = residentBytes(patient);
      const body = Buffer.alloc(SLOW_BYTES, 'slow reader ');
      client.socket.pause();
      const sent = server.send(body);
      const relayed = () => patient.metric('sallyport_bytes_total', '{direction="in"}');
      let last = -1;
      await until('every buffer on the way is full', async () => {
        const now = await relayed();
        const isFull = now === last;
        last = now;
        return isFull;
      });
      expect(residentBytes(patient) - before).toBeLessThan(SLOW_BYTES / 2);
      expect(client.received).toBeLessThan(SLOW_BYTES);

      // Three stops on the way: what was held up goes on by itself.
      for (const part of [1, 2, 3]) {
        client.socket.resume();
        await client.atLeast(FLOW_ANSWER.length + (part * SLOW_BYTES) / 4);
        client.socket.pause();
      }
      client.socket.resume();
      await client.atLeast(FLOW_ANSWER.length + SLOW_BYTES);
      await sent;
      expect(client.bytes.subarray(FLOW_ANSWER.length).equals(body)).toBe(true);
    },
  );
});

function residentBytes({ process: { pid } }: TestDaemon): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return Number(kib) * 1024;
}
