import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadCompiled } from '../../src/config/load-compiled.ts';
import type { PolicyLoader } from '../../src/daemon/policy-loader.ts';
import { PolicyStore } from '../../src/daemon/policy-store.ts';
import { createLog } from '../../src/observe/log.ts';
import { Metrics } from '../../src/observe/metrics.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { MemoryDestination } from '../observe/support.ts';
import { hostname, ip } from '../resolve/support.ts';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-store-'));
  path = join(directory, 'policy.yaml');
});
afterEach(() => rmSync(directory, { recursive: true }));

const policyText = (host: string, mode = 'enforce') =>
  `version: 1\nmode: ${mode}\nrules:\n  - { name: only, hosts: [${host}] }\n`;
const BROKEN = 'version: 1\nrules:\n  - { name: only, hsts: [a.example] }\n';

async function storeOf(text = policyText('a.example'), onChange: (policy: Policy) => void = () => {}) {
  writeFileSync(path, text);
  const load: PolicyLoader['load'] = (file, runningSha256) =>
    loadCompiled({ path: file, runningSha256, defaults: {} });
  const first = await load(path, null);
  if (!first.ok) throw new Error('the first policy is broken');
  const destination = new MemoryDestination();
  const metrics = new Metrics({ version: 'test', now: () => 5_000 });
  const changes: Policy[] = [];
  const store = new PolicyStore({
    path,
    first,
    loader: { load },
    log: createLog({ level: 'info', format: 'json', gateway: 'gw', destination, now: () => 0 }),
    metrics,
    onChange: policy => {
      changes.push(policy);
      onChange(policy);
    },
  });
  metrics.readFrom({ policy: () => store.status() });
  const lines = () => destination.lines.map(line => JSON.parse(line) as Record<string, unknown>);
  const metric = async (name: string) =>
    (await metrics.render()).body.split('\n').find(line => line.startsWith(name));
  return { store, changes, lines, metric };
}

const allows = (policy: Policy, name: string) =>
  policy.decide({ hostname: hostname(name), port: 443, source: ip('10.0.0.1'), nowMs: 0 }).state ===
  'MATCHED';

describe('PolicyStore', () => {
  it('begins with the policy it was given, and says so in the metrics', async () => {
    const { store, metric, changes } = await storeOf();
    expect(allows(store.policy, 'a.example')).toBe(true);
    expect(await metric('sallyport_policy_info')).toBe(
      `sallyport_policy_info{sha256="${store.policy.sha256}",mode="enforce"} 1`,
    );
    expect(await metric('sallyport_reloads_total{result="success"}')).toContain(' 0');
    expect(changes).toEqual([]);
  });

  it('puts a changed policy in force, tells it, and says so', async () => {
    const { store, changes, lines, metric } = await storeOf();
    writeFileSync(path, policyText('b.example', 'observe'));
    const outcome = await store.reload('SIGHUP');
    expect(outcome).toMatchObject({ result: 'success', policy: { rules: 1, mode: 'observe' }, warnings: [] });
    expect([allows(store.policy, 'a.example'), allows(store.policy, 'b.example')]).toEqual([false, true]);
    expect(changes).toEqual([store.policy]);
    expect(lines()).toMatchObject([
      { level: 'info', event: 'reload', trigger: 'SIGHUP', result: 'success', sha256: store.policy.sha256 },
    ]);
    expect(await metric('sallyport_policy_info')).toContain(`${store.policy.sha256}",mode="observe"`);
    expect(await metric('sallyport_reloads_total{result="success"}')).toContain(' 1');
  });

  it('leaves an unchanged policy alone', async () => {
    const { store, changes } = await storeOf();
    const before = store.policy;
    expect(await store.reload('http')).toMatchObject({ result: 'unchanged' });
    expect([store.policy, changes]).toEqual([before, []]);
  });

  it.each([
    ['a broken file', () => writeFileSync(path, BROKEN), /policy\.yaml:3:19: rules\[0\]: unknown key "hsts"/],
    ['a file that is gone', () => rmSync(path), /does not exist/],
  ])('keeps the running policy for %s, and says why in log, status and metrics', async (_, breakIt, why) => {
    const { store, changes, lines, metric } = await storeOf();
    const { policy } = store;
    breakIt();
    const outcome = await store.reload('file');
    expect(outcome).toMatchObject({ result: 'failure', policy: { sha256: policy.sha256 } });
    expect([store.policy, changes]).toEqual([policy, []]);
    expect(store.status().lastReloadErrors.join('\n')).toMatch(why);
    const said = lines();
    expect(said.slice(0, -1).every(line => line.level === 'error' && line.event === 'reload_error')).toBe(
      true,
    );
    expect(said.map(({ msg }) => msg).join('\n')).toMatch(why);
    expect(said.at(-1)).toMatchObject({
      event: 'reload',
      trigger: 'file',
      result: 'failure',
      sha256: policy.sha256,
    });
    expect(await metric('sallyport_config_last_reload_successful')).toContain(' 0');
    expect(await metric('sallyport_reloads_total{result="failure"}')).toContain(' 1');
  });

  it('forgets the errors once the file is what it was', async () => {
    const { store, metric } = await storeOf();
    writeFileSync(path, BROKEN);
    await store.reload('file');
    writeFileSync(path, policyText('a.example'));
    expect(await store.reload('file')).toMatchObject({ result: 'unchanged' });
    expect(store.status().lastReloadErrors).toEqual([]);
    expect(await metric('sallyport_config_last_reload_successful')).toContain(' 1');
  });

  it('says no more than the first 20 of many errors, and how many there are', async () => {
    const { store, lines } = await storeOf();
    const rules = Array.from({ length: 50 }, (_, i) => `  - { name: r${i}, hosts: [a..b] }`);
    writeFileSync(path, `version: 1\nrules:\n${rules.join('\n')}\n`);
    const outcome = await store.reload('file');
    expect(outcome.result === 'failure' && outcome.errors.length).toBe(50);
    expect(lines()).toHaveLength(21);
    expect(lines().at(-1)?.msg).toContain('50 errors');
  });

  it('says warnings', async () => {
    const { store, lines } = await storeOf();
    writeFileSync(path, 'version: 1\nmode: enforce\nobserveUntil: 2026-01-01\nrules: []\n');
    const outcome = await store.reload('file');
    expect(outcome.result === 'success' && outcome.warnings.join()).toContain('observeUntil');
    expect(lines()).toMatchObject([{ level: 'warn', event: 'policy_warning' }, { event: 'reload' }]);
  });

  it('reloads one after the other: the second reads what the file says after the first', async () => {
    const { store, changes } = await storeOf(policyText('a.example'), () =>
      writeFileSync(path, policyText('c.example')),
    );
    writeFileSync(path, policyText('b.example'));
    const outcomes = await Promise.all([store.reload('one'), store.reload('two'), store.reload('three')]);
    expect(outcomes.map(({ result }) => result)).toEqual(['success', 'success', 'unchanged']);
    expect(changes.map(policy => allows(policy, 'c.example'))).toEqual([false, true]);
  });

  it('ends in the last state of the file, however many reloads are asked for meanwhile', async () => {
    const { store } = await storeOf();
    const asked: Promise<unknown>[] = [];
    for (const host of ['b.example', 'c.example', 'd.example']) {
      writeFileSync(path, policyText(host));
      asked.push(store.reload('file'), store.reload('http'));
    }
    await Promise.all(asked);
    expect(allows(store.policy, 'd.example')).toBe(true);
  });

  it('can reload again after a reload whose listener failed', async () => {
    let isFaulty = true;
    const { store } = await storeOf(policyText('a.example'), () => {
      if (isFaulty) throw new Error('listener');
    });
    writeFileSync(path, policyText('b.example'));
    expect(await store.reload('file')).toMatchObject({ result: 'failure', errors: ['Error: listener'] });
    expect([allows(store.policy, 'a.example'), allows(store.policy, 'b.example')]).toEqual([true, false]);
    isFaulty = false;
    writeFileSync(path, policyText('c.example'));
    expect(await store.reload('file')).toMatchObject({ result: 'success' });
  });

  it('shows the mode in force: enforce once observeUntil has passed', async () => {
    const { store } = await storeOf('version: 1\nmode: observe\nobserveUntil: 2020-01-01\nrules: []\n');
    expect(store.status()).toMatchObject({ mode: 'enforce', observeUntilMs: Date.UTC(2020, 0, 1) });
  });
});
