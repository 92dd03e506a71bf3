import { readdirSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { TestDaemon } from '../support/daemon.ts';
import { startEgress } from '../support/egress.ts';
import { FLOW_HELLO, type OpenFlow, openFlow } from '../support/open-flow.ts';
import { Peer } from '../support/peer.ts';
import { Scope } from '../support/scope.ts';
import { Trigger } from '../support/trigger.ts';
import { until } from '../support/until.ts';
import { Upstream } from '../support/upstream.ts';

const PER_SOURCE = 64;

describe.skipIf(process.platform !== 'linux')('a data plane worker dies (epoll: Linux only)', () => {
  const scope = new Scope();
  const perTest = new Scope();
  let upstream: Upstream;

  beforeAll(async () => {
    upstream = await Upstream.listen();
    scope.defer(() => upstream.close());
  });
  afterEach(() => perTest.close());
  afterAll(() => scope.close());

  async function start(workers: number, nodeArgs: readonly string[] = []) {
    const trigger = new Trigger();
    perTest.defer(() => trigger.close());
    const daemon = await startEgress({
      dataplane: 'epoll',
      upstreamPort: upstream.port,
      limits: { flowsPerSource: PER_SOURCE },
      config: { workers },
      nodeArgs: [...trigger.nodeArgs, ...nodeArgs],
    });
    perTest.defer(() => daemon.kill());
    return { daemon, trigger };
  }

  const open = (daemon: TestDaemon) => openFlow(daemon, upstream, perTest);

  async function openMany(daemon: TestDaemon, count: number): Promise<OpenFlow[]> {
    const opened: OpenFlow[] = [];
    while (opened.length < count) opened.push(await open(daemon));
    return opened;
  }

  /** Connections until the worker has taken one, which makes it read the clock. */
  async function strike(daemon: TestDaemon, trigger: Trigger, worker: number, how: 'throw' | 'exhaust') {
    trigger.pull(worker, how);
    await until('the worker is struck', async () => {
      // Refused, once the daemon is ending.
      const client = await Peer.dial(daemon.port('tls')).catch(() => null);
      client?.reset();
      return trigger.hasFired(worker);
    });
  }

  const isDeath = (line: Readonly<Record<string, unknown>>) => line.event === 'worker_died';
  const openFlows = (daemon: TestDaemon) => daemon.metric('sallyport_open_flows', '{listener="tls"}');
  const restarts = (daemon: TestDaemon) => daemon.metric('sallyport_worker_restarts_total');
  const descriptors = (daemon: TestDaemon) => readdirSync(`/proc/${daemon.process.pid}/fd`).length;

  it('its flows end with a record and a reset, those of the others go on, and no descriptor is left', async () => {
    const { daemon, trigger } = await start(2);
    const idle = descriptors(daemon);
    const opened = await openMany(daemon, 16);
    await strike(daemon, trigger, 0, 'throw');
    const death = await daemon.line(isDeath);
    expect(death).toMatchObject({ level: 'error', worker: 0, restart_ms: 0, unrecorded: 0 });
    expect(death.msg).toContain('Error: poisoned');

    const died = await daemon.collect(line => line.end === 'worker_died', 1);
    const cutPorts = new Set(died.map(line => line.src_port));
    const cut = opened.filter(({ client }) => cutPorts.has(client.port));
    const kept = opened.filter(({ client }) => !cutPorts.has(client.port));
    expect([cut.length > 0, kept.length > 0]).toEqual([true, true]);
    for (const { client, server } of cut)
      expect([await client.end(), await server.end()]).toEqual(['reset', 'reset']);
    for (const { client, server } of kept) {
      await client.send('still here');
      await server.atLeast(FLOW_HELLO.length + 'still here'.length);
    }

    await until(
      'the flows of the others alone are counted',
      async () => (await openFlows(daemon)) === kept.length,
    );
    expect(await restarts(daemon)).toBe(1);
    for (const { client, server } of [...kept, ...(await openMany(daemon, 16))]) {
      client.finish();
      server.finish();
      expect(await client.end()).toBe('fin');
    }
    await until('no flow is open', async () => (await openFlows(daemon)) === 0);
    await until('descriptors are as before', () => descriptors(daemon) <= idle + 1);
  });

  it('out of memory: says so, gives sources back what they had, and serves on', async () => {
    const { daemon, trigger } = await start(1, ['--max-old-space-size=64']);
    const opened = await openMany(daemon, PER_SOURCE / 2);
    const idle = descriptors(daemon) - 2 * opened.length;
    await strike(daemon, trigger, 0, 'exhaust');
    const death = await daemon.line(isDeath);
    expect(death).toMatchObject({ worker: 0, restart_ms: 0 });
    expect(death.msg).toMatch(/memory/i);
    expect(death.unrecorded).toBeGreaterThanOrEqual(opened.length);
    for (const { client, server } of opened)
      expect([await client.end(), await server.end()]).toEqual(['reset', 'reset']);
    await until('no flow is counted', async () => (await openFlows(daemon)) === 0);
    await until('descriptors are as before', () => descriptors(daemon) <= idle + 1);
    // As many as the source may have: none of the dead ones counts.
    expect(await openMany(daemon, PER_SOURCE)).toHaveLength(PER_SOURCE);
  });

  it('the only one: clients that come meanwhile are served by the next, under the policy of that day', async () => {
    const { daemon, trigger } = await start(1);
    daemon.writePolicy({
      mode: 'enforce',
      rules: [{ name: 'renamed', hosts: ['allowed.example'], ports: [upstream.port] }],
    });
    await daemon.line(line => line.event === 'reload');
    await strike(daemon, trigger, 0, 'throw');
    const { client, server } = await open(daemon);
    client.finish();
    server.finish();
    expect((await daemon.flow(client.port)).decision).toMatchObject({ action: 'allow', rule: 'renamed' });
    await until('it is healthy', async () => (await fetch(`${daemon.admin}/-/healthy`)).status === 200);
    expect((await daemon.stop()).code).toBe(0);
  });

  it('plain HTTP that it had handed over goes on, and stays counted until it ends', async () => {
    const { daemon, trigger } = await start(1);
    const openHttp = () => daemon.metric('sallyport_open_flows', '{listener="proxy"}');
    const index = upstream.peers.length;
    const client = await Peer.dial(daemon.port('proxy'));
    perTest.defer(() => client.socket.destroy());
    const ask = (path: string) =>
      client.send(
        `GET http://allowed.example:${upstream.port}${path} HTTP/1.1\r\nHost: allowed.example:${upstream.port}\r\n\r\n`,
      );
    await ask('/first');
    const server = await upstream.peer(index);
    const reply = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
    await server.atLeast('GET /first'.length);
    await server.send(reply);
    await until('the first answer is there', () => client.text.endsWith('ok'));
    await strike(daemon, trigger, 0, 'throw');
    await daemon.line(isDeath);
    await until('it is counted alone', async () => (await openHttp()) === 1);

    const before = client.received;
    await ask('/second');
    await until('the second request is there', () => server.text.includes('/second'));
    await server.send(reply);
    await until('the second answer is there', () => client.received > before && client.text.endsWith('ok'));
    client.finish();
    await daemon.flow(client.port);
    await until('it is not counted any more', async () => (await openHttp()) === 0);
  });

  it('again and again: the daemon says so and ends with 1', async () => {
    const { daemon, trigger } = await start(2);
    for (let death = 1; death <= 5; death++) {
      await strike(daemon, trigger, 1, 'throw');
      await daemon.collect(isDeath, death);
    }
    expect(await daemon.exited).toEqual({ code: 1, signal: null });
    const fatal = daemon.lines.find(line => line.event === 'fatal');
    expect(fatal?.msg).toContain('data plane worker 1 has died 5 times in 60 s');
    expect(daemon.lines.filter(isDeath).map(line => line.restart_ms)).toEqual([0, 100, 500, 2_000, null]);
  });
});
