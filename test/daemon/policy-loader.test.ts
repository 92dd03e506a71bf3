import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatDiagnostic } from '../../src/config/diagnostics.ts';
import { type CompiledLoad, loadCompiled } from '../../src/config/load-compiled.ts';
import { LoadCancelled, PolicyLoader, type PolicyLoaderOptions } from '../../src/daemon/policy-loader.ts';
import { Policy } from '../../src/policy/policy.ts';
import { loadersOf } from '../support/loaders.ts';
import { until } from '../support/until.ts';

const THREAD = new URL('../../dist/policy-thread.js', import.meta.url);
const BROKEN = fileURLToPath(new URL('../config/broken', import.meta.url));
const SHIPPED = fileURLToPath(new URL('../../config/policy.yaml', import.meta.url));

let directory: string;
let path: string;
const loaders: PolicyLoader[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-loader-'));
  path = join(directory, 'policy.yaml');
});
afterEach(async () => {
  await Promise.all(loaders.splice(0).map(loader => loader.close()));
  rmSync(directory, { recursive: true });
});

function loaderOf(options: PolicyLoaderOptions = {}): PolicyLoader {
  const loader = new PolicyLoader({ program: THREAD, ...options });
  loaders.push(loader);
  return loader;
}

const rules = (count: number, rest = '') =>
  Array.from({ length: count }, (_, i) => `  - { name: r${i}, hosts: [h${i}.example.com]${rest} }\n`).join(
    '',
  );

const loadInPlace = (file: string) => loadCompiled({ path: file, runningSha256: null, defaults: {} });

/** All that a load says, comparable. */
function said(load: CompiledLoad): unknown {
  if (!load.ok) return load.diagnostics.map(formatDiagnostic);
  const bytes = load.policy === null ? null : Buffer.from(load.policy).toString('base64');
  return [bytes, load.warnings.map(formatDiagnostic), load.presets];
}

describe('the policy loader', () => {
  it.each([
    ['with a fault in the YAML', 'rules:\n\t- name: tab\n', ''],
    ['with faults of the schema', '', ', hst: [a.com]'],
    ['with faults of hosts', `  - { name: x, hosts: ["*.com", a..b, zürich.example] }\n`, ''],
    ['with warnings', 'observeUntil: 2020-01-01\n', ', until: 2020-01-01'],
    ['without a fault', '', ', ports: [443, 8443]'],
  ])('says of a large policy %s what is said of it in place', async (_, head, rest) => {
    const isRule = head.startsWith(' ');
    writeFileSync(
      path,
      `version: 1\n${isRule ? '' : head}rules:\n${isRule ? head : ''}${rules(1_000, rest)}`,
    );
    expect(said(await loaderOf().load(path, null))).toEqual(said(await loadInPlace(path)));
  });

  it('says of a large directory what is said of it in place', async () => {
    mkdirSync(path);
    writeFileSync(join(path, 'a.yaml'), `version: 1\nmode: observe\nrules:\n${rules(1_000)}`);
    writeFileSync(join(path, 'b ☃.yaml'), `version: 1\nmode: enforce\nrules:\n${rules(3)}`);
    expect(said(await loaderOf().load(path, null))).toEqual(said(await loadInPlace(path)));
  });

  it.each([SHIPPED, BROKEN, '/nowhere/policy.yaml'])('needs no process for %s', async file => {
    const program = new URL(`data:text/javascript,throw new Error('a thread');`);
    expect(said(await loaderOf({ program }).load(file, null))).toEqual(said(await loadInPlace(file)));
  });

  it.each([
    ['a small', 10],
    ['a large', 10_000],
  ])('loads %s first policy as any', async (_, count) => {
    writeFileSync(path, `version: 1\nrules:\n${rules(count)}`);
    const first = await loaderOf().loadFirst(path);
    expect(said(first)).toEqual(said(await loadInPlace(path)));
    expect(first.ok && first.policy !== null && Policy.from(first.policy).ruleCount).toBe(count);
  });

  it('hands no policy over when it is the one that runs', async () => {
    writeFileSync(path, `version: 1\nrules:\n${rules(1_000)}`);
    const first = await loadInPlace(path);
    if (!first.ok || first.policy === null) throw new Error('the policy is broken');
    const { sha256 } = Policy.from(first.policy);
    expect(await loaderOf().load(path, sha256)).toMatchObject({ ok: true, policy: null });
  });

  it('keeps a hundred of many diagnostics, and counts the rest', async () => {
    writeFileSync(path, `version: 1\nrules:\n${rules(1_000, ', until: 2020-01-01')}`);
    const load = await loaderOf().load(path, null);
    const warnings = load.ok ? load.warnings.map(formatDiagnostic) : [];
    expect(warnings).toHaveLength(101);
    expect(warnings.at(-1)).toBe(
      `${path}:1:1: warning: 900 more of this kind (sallyport check ${path} says them all)`,
    );
  });

  it('outlives a policy that takes more memory than it may, and says so', async () => {
    const loader = loaderOf({ heapMb: 24 });
    writeFileSync(path, `version: 1\nrules:\n${rules(60_000)}`);
    const load = await loader.load(path, null);
    expect(load.ok ? [] : load.diagnostics.map(formatDiagnostic)).toEqual([
      `${path}:1:1: takes more than 24 MiB of memory to load (write fewer rules, or give sallyport more memory)`,
    ]);
    expect(await loader.load(SHIPPED, null)).toMatchObject({ ok: true });
  });

  it('outlives a thread that ends for any other reason, and says why', async () => {
    const program = new URL(`data:text/javascript,throw new Error('no luck');`);
    writeFileSync(path, `version: 1\nrules:\n${rules(1_000)}`);
    const load = await loaderOf({ program }).load(path, null);
    expect(load.ok ? [] : load.diagnostics.map(formatDiagnostic)).toEqual([
      `${path}:1:1: cannot be loaded: the loader ended: Error: no luck (load it again)`,
    ]);
  });

  it('is cancelled in the middle of a load, and loads nothing afterwards', async () => {
    writeFileSync(path, `version: 1\nrules:\n${rules(60_000)}`);
    const loader = loaderOf();
    const loads = Promise.allSettled([loader.load(path, null), loader.load(path, null)]);
    await until('a loader', () => loadersOf(path).length > 0);
    await loader.close();
    const cancelled = { status: 'rejected', reason: expect.any(LoadCancelled) };
    expect(await loads).toEqual([cancelled, cancelled]);
    expect(loadersOf(path)).toEqual([]);
    await expect(loader.load(path, null)).rejects.toThrow(LoadCancelled);
  });

  it('takes no more priority than the flows have', async () => {
    writeFileSync(path, `version: 1\nrules:\n${rules(30_000)}`);
    const load = loaderOf().load(path, null);
    const low = Math.min(19, getPriority() + 10);
    // It is there for a moment before its priority is.
    await until('a loader that gives way', () => loadersOf(path).some(pid => getPriority(pid) === low));
    await load;
  });
});
