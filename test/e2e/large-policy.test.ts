import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { buildClientHello } from '../support/client-hello.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { pairRecords, startEgress } from '../support/egress.ts';
import { loadersOf } from '../support/loaders.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { buildServerHello } from '../support/server-hello.ts';
import { until } from '../support/until.ts';
import { Upstream } from '../support/upstream.ts';

const hello = buildClientHello();
const answer = buildServerHello();
const RULES = 100_000;

describePlanes('a policy of 100 000 rules', dataplane => {
  const scope = new Scope();
  const perTest = new Scope();
  let upstream: Upstream;

  beforeAll(async () => {
    upstream = await Upstream.listen(peer => {
      peer.socket.once('data', () => peer.socket.end(answer));
    });
    scope.defer(() => upstream.close());
  });
  afterEach(() => perTest.close());
  afterAll(() => scope.close());

  async function start(): Promise<TestDaemon> {
    const daemon = await startEgress({ dataplane, upstreamPort: upstream.port });
    perTest.defer(() => daemon.kill());
    return daemon;
  }

  /** One of the rules is `upstream`, which allows the flows of this test. */
  function largePolicy(): string {
    const lines = ['version: 1', 'rules:'];
    for (let i = 1; i < RULES; i++) lines.push(`  - { name: r${i}, hosts: [h${i}.s${i % 500}.example.com] }`);
    lines.push(`  - { name: upstream, hosts: [allowed.example], ports: [${upstream.port}] }`);
    return `${lines.join('\n')}\n`;
  }

  async function flow(daemon: TestDaemon): Promise<number> {
    const client = await Peer.dial(daemon.port('tls'));
    await client.send(hello);
    if ((await client.end()) === 'reset') throw new Error('reset');
    client.finish();
    return client.received;
  }

  const reload = async (daemon: TestDaemon) =>
    (await fetch(`${daemon.admin}/-/reload`, { method: 'POST' })).json();

  it('is put in force while flows run, and not one of them fails', async () => {
    const daemon = await start();
    daemon.writePolicy(largePolicy());
    const reloaded = reload(daemon);
    let isReloaded = false;
    void reloaded.finally(() => {
      isReloaded = true;
    });
    let flows = 0;
    while (!isReloaded) {
      expect(await flow(daemon)).toBe(answer.length);
      expect((await fetch(`${daemon.admin}/-/ready`)).status).toBe(200);
      flows++;
    }
    expect(await reloaded).toMatchObject({ policy: { rules: RULES } });
    await daemon.collect(line => line.event === 'close', flows);
    for (const { decision } of pairRecords(daemon.lines))
      expect(decision).toMatchObject({ action: 'allow', rule: 'upstream' });
    expect(daemon.lines.filter(line => line.level === 'error')).toEqual([]);
  });

  it('is listed and explained', async () => {
    const daemon = await start();
    daemon.writePolicy(largePolicy());
    await reload(daemon);
    await flow(daemon);
    await daemon.line(line => line.event === 'close');
    const { rules } = (await (await fetch(`${daemon.admin}/api/v1/rules`)).json()) as {
      rules: Record<string, unknown>[];
    };
    expect(rules).toHaveLength(RULES);
    expect(rules.at(-1)).toMatchObject({
      name: 'upstream',
      place: `${daemon.policyPath}:${RULES + 2}`,
      hits: 1,
    });
    const explained = await fetch(`${daemon.admin}/api/v1/explain`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ host: 'h777.s277.example.com', port: 8443, from: '10.0.0.1' }),
    });
    expect(await explained.json()).toMatchObject({
      action: 'deny',
      nearMisses: [
        { kind: 'port', rule: 'r777', location: { line: 779, col: expect.any(Number) } },
        ...Array.from({ length: 4 }, () => ({ kind: 'spelling' })),
      ],
    });
  });

  it('is given up when the daemon ends while it loads', async () => {
    const daemon = await start();
    const from = daemon.lines.length;
    daemon.writePolicy(largePolicy());
    await until('a loader', () => loadersOf(daemon.policyPath).length > 0);
    daemon.process.kill('SIGTERM');
    expect(await daemon.exited).toEqual({ code: 0, signal: null });
    expect(daemon.lines.slice(from)).toMatchObject([
      { event: 'drain' },
      { event: 'reload', level: 'info', result: 'cancelled', trigger: 'file' },
      { event: 'drained' },
    ]);
    expect(loadersOf(daemon.policyPath)).toEqual([]);
  });
});
