import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatDiagnostic } from '../../src/config/diagnostics.ts';
import { type CompiledLoad, loadCompiled } from '../../src/config/load-compiled.ts';
import { LoadCancelled, PolicyLoader, type PolicyLoaderOptions } from '../../src/daemon/policy-loader.ts';
import { Policy } from '../../src/policy/policy.ts';
import { until } from '../support/until.ts';

const THREAD = new URL('../../dist/daemon/policy-thread.js', import.meta.url);
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

/** A thread that answers with its own id and what it was asked. */
function programOf(source: string): URL {
  const file = join(directory, 'program.mjs');
  writeFileSync(file, `import { parentPort, threadId } from 'node:worker_threads';\n${source}`);
  return new URL(`file://${file}`);
}

const rules = (count: number, rest = '') =>
  Array.from({ length: count }, (_, i) => `  - { name: r${i}, hosts: [h${i}.example.com]${rest} }\n`).join(
    '',
  );

/** All that a load says, comparable. */
function said(load: CompiledLoad): unknown {
  if (!load.ok) return load.diagnostics.map(formatDiagnostic);
  const bytes = load.policy === null ? null : Buffer.from(load.policy).toString('base64');
  return [bytes, load.warnings.map(formatDiagnostic)];
}

describe('the policy loader', () => {
  it.each([SHIPPED, ...readdirSync(BROKEN).map(name => join(BROKEN, name)), '/nowhere/policy.yaml'])(
    'says of %s in its thread what is said without one',
    async file => {
      expect(said(await loaderOf().load(file, null))).toEqual(
        said(await loadCompiled({ path: file, runningSha256: null, defaults: {} })),
      );
    },
  );

  it.each([
    ['a small', 10],
    ['a large', 10_000],
  ])('loads %s first policy to the same bytes', async (_, count) => {
    writeFileSync(path, `version: 1\nrules:\n${rules(count)}`);
    const first = await loaderOf().loadFirst(path);
    expect(said(first)).toEqual(said(await loaderOf().load(path, null)));
    expect(first.ok && first.policy !== null && Policy.from(first.policy).ruleCount).toBe(count);
  });

  it('hands no policy over when it is the one that runs', async () => {
    const first = await loadCompiled({ path: SHIPPED, runningSha256: null, defaults: {} });
    if (!first.ok || first.policy === null) throw new Error('the shipped policy is broken');
    const { sha256 } = Policy.from(first.policy);
    expect(await loaderOf().load(SHIPPED, sha256)).toMatchObject({ ok: true, policy: null });
  });

  it('keeps a hundred of many diagnostics, and counts the rest', async () => {
    writeFileSync(path, `version: 1\nrules:\n${rules(250, ', until: 2020-01-01')}`);
    const load = await loaderOf().load(path, null);
    const warnings = load.ok ? load.warnings.map(formatDiagnostic) : [];
    expect(warnings).toHaveLength(101);
    expect(warnings.at(-1)).toBe(
      `${path}:1:1: warning: 150 more of this kind (sallyport check ${path} says them all)`,
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
    const loader = loaderOf({ program: programOf(`throw new Error('no luck');`) });
    const load = await loader.load(path, null);
    expect(load.ok ? [] : load.diagnostics.map(formatDiagnostic)).toEqual([
      `${path}:1:1: cannot be loaded: the loader ended: Error: no luck (load it again)`,
    ]);
  });

  it('is cancelled in the middle of a load, and loads nothing afterwards', async () => {
    const loader = loaderOf({
      program: programOf(`parentPort.on('message', () => { for (;;); });`),
    });
    const [running, waiting] = [loader.load(path, null), loader.load(path, null)];
    const ends = Promise.allSettled([running, waiting]);
    await loader.close();
    const cancelled = { status: 'rejected', reason: expect.any(LoadCancelled) };
    expect(await ends).toEqual([cancelled, cancelled]);
    await expect(loader.load(path, null)).rejects.toThrow(LoadCancelled);
  });

  describe('keeps its thread', () => {
    const ECHO = `parentPort.on('message', () =>
      parentPort.postMessage({ ok: true, policy: null, warnings: [threadId] }));`;
    const threadOf = async (loader: PolicyLoader) => JSON.stringify(await loader.load(path, null));

    it('for loads that follow soon', async () => {
      const loader = loaderOf({ program: programOf(ECHO), keepMs: 60_000 });
      expect(await threadOf(loader)).toBe(await threadOf(loader));
    });

    it('no longer than it is told', async () => {
      const loader = loaderOf({ program: programOf(ECHO), keepMs: 0 });
      const first = await threadOf(loader);
      await until('another thread', async () => (await threadOf(loader)) !== first);
    });
  });
});
