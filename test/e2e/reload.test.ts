import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { buildClientHello } from '../support/client-hello.ts';
import type { LogLine, TestDaemon } from '../support/daemon.ts';
import { allowedExample, pairRecords, startEgress } from '../support/egress.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { buildServerHello } from '../support/server-hello.ts';
import { Upstream } from '../support/upstream.ts';

const hello = buildClientHello();
const answer = buildServerHello();
const RELOADS = 100;
/** 200 flows a second. */
const FLOW_EVERY_MS = 5;

describePlanes('reload', dataplane => {
  const scope = new Scope();
  let upstream: Upstream;

  beforeAll(async () => {
    upstream = await Upstream.listen(peer => {
      peer.socket.once('data', () => peer.socket.end(answer));
    });
    scope.defer(() => upstream.close());
  });
  afterAll(() => scope.close());

  async function start(config: Readonly<Record<string, unknown>> = {}): Promise<TestDaemon> {
    const daemon = await startEgress({ dataplane, upstreamPort: upstream.port, config });
    scope.defer(() => daemon.kill());
    return daemon;
  }

  const policy = (rule: string) => allowedExample(upstream.port, 'enforce', rule);

  /** One flow, to its end. Resolves to the bytes that came back, rejects when it broke. */
  async function flow(daemon: TestDaemon): Promise<number> {
    const client = await Peer.dial(daemon.port('tls'));
    await client.send(hello);
    if ((await client.end()) === 'reset') throw new Error('reset');
    client.finish();
    return client.received;
  }

  const isReload =
    (trigger: string, ...results: string[]) =>
    (line: LogLine): boolean =>
      line.event === 'reload' && line.trigger === trigger && results.includes(String(line.result));

  it('a hundred times under load: not one flow fails', async () => {
    const daemon = await start();
    const flows: Promise<number | Error>[] = [];
    const load = setInterval(() => flows.push(flow(daemon).catch((error: Error) => error)), FLOW_EVERY_MS);
    scope.defer(() => clearInterval(load));

    for (let i = 0; i < RELOADS; i++) {
      const from = daemon.lines.length;
      daemon.writePolicy(policy(i % 2 === 0 ? 'new' : 'upstream'));
      switch (i % 3) {
        case 0:
          await daemon.line(isReload('file', 'success'), from);
          break;
        case 1:
          daemon.process.kill('SIGHUP');
          await daemon.line(isReload('SIGHUP', 'success', 'unchanged'), from);
          break;
        default: {
          const response = await fetch(`${daemon.admin}/-/reload`, { method: 'POST' });
          expect(response.status).toBe(200);
          expect(await response.json()).toMatchObject({
            result: expect.stringMatching(/^(success|unchanged)$/),
          });
        }
      }
    }
    clearInterval(load);
    const results = await Promise.all(flows);
    expect(results.filter(result => result !== answer.length)).toEqual([]);

    await daemon.collect(line => line.event === 'close', flows.length);
    const rules = new Map<unknown, number>();
    for (const { decision, close } of pairRecords(daemon.lines)) {
      expect(decision).toMatchObject({ action: 'allow' });
      expect(close).toMatchObject({ bytes_out: hello.length, bytes_in: answer.length });
      rules.set(decision.rule, (rules.get(decision.rule) ?? 0) + 1);
    }
    expect([...rules.keys()].sort()).toEqual(['new', 'upstream']);
    expect(daemon.lines.filter(line => line.level === 'error')).toEqual([]);
    expect(await daemon.metric('sallyport_reloads_total', '{result="failure"}')).toBe(0);
  });

  it('takes effect for the next flow', async () => {
    const daemon = await start();
    const client = await Peer.dial(daemon.port('tls'));
    daemon.writePolicy({ mode: 'enforce', rules: [] });
    await fetch(`${daemon.admin}/-/reload`, { method: 'POST' });
    // The workers hear of it at once, but not in the same instant as the answer: what counts is that they do.
    await client.send(hello);
    await client.end();
    let action: unknown = (await daemon.flow(client.port)).decision.action;
    while (action !== 'deny') {
      const next = await Peer.dial(daemon.port('tls'));
      await next.send(hello);
      await next.end();
      next.finish();
      action = (await daemon.flow(next.port)).decision.action;
    }
  });

  it('a broken policy changes nothing and says where it is broken', async () => {
    const daemon = await start();
    const successful = () => daemon.metric('sallyport_config_last_reload_successful');
    expect(await successful()).toBe(1);

    const from = daemon.lines.length;
    writeFileSync(
      daemon.policyPath,
      'version: 1\nmode: enforce\nrules:\n  - { name: broken, hst: [a.example] }\n',
    );
    const isPlaced = ({ event, msg }: LogLine) =>
      event === 'reload_error' && /policy\.yaml:4:\d+: .*hst.*did you mean.*hosts/.test(String(msg));
    expect(await daemon.line(isPlaced, from)).toMatchObject({ level: 'error', trigger: 'file' });
    await daemon.line(isReload('file', 'failure'), from);
    expect(await successful()).toBe(0);
    const response = await fetch(`${daemon.admin}/-/reload`, { method: 'POST' });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({
      result: 'failure',
      errors: expect.arrayContaining([expect.stringContaining('policy.yaml:4:')]),
    });
    expect((await fetch(`${daemon.admin}/-/ready`)).status).toBe(200);
    expect(await flow(daemon)).toBe(answer.length);
    const decision = await daemon.line(line => line.event === 'decision', from);
    expect(decision).toMatchObject({ action: 'allow', rule: 'upstream' });

    const mended = daemon.lines.length;
    daemon.writePolicy(policy('mended'));
    await daemon.line(isReload('file', 'success'), mended);
    expect(await successful()).toBe(1);
    expect(await flow(daemon)).toBe(answer.length);
    expect(await daemon.line(line => line.event === 'decision', mended)).toMatchObject({ rule: 'mended' });
  });

  it('sees the symlink swap of a ConfigMap', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-configmap-'));
    scope.defer(() => rmSync(directory, { recursive: true }));
    const publish = (version: string, rule: string) => {
      mkdirSync(join(directory, version));
      writeFileSync(join(directory, version, 'policy.yaml'), stringify({ version: 1, ...policy(rule) }));
      symlinkSync(version, join(directory, '..data_tmp'));
      renameSync(join(directory, '..data_tmp'), join(directory, '..data'));
    };
    publish('..ts1', 'first');
    symlinkSync('..data/policy.yaml', join(directory, 'policy.yaml'));
    const daemon = await start({ policy: join(directory, 'policy.yaml') });

    for (const [version, rule] of [
      ['..ts2', 'second'],
      ['..ts3', 'third'],
    ] as const) {
      const from = daemon.lines.length;
      publish(version, rule);
      await daemon.line(isReload('file', 'success'), from);
      expect(await flow(daemon)).toBe(answer.length);
      expect(await daemon.line(line => line.event === 'decision', from)).toMatchObject({ rule });
    }
  });
});
