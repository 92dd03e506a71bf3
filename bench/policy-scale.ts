import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { PolicyLoader } from '../src/daemon/policy-loader.ts';
import { Policy } from '../src/policy/policy.ts';
import { queriesFor } from './policy-queries.ts';
import { measureSwap } from './policy-swap.ts';
import { type PolicyShape, policyText } from './policy-texts.ts';
import { figure, type Section } from './report/section.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const PAUSE_DIGITS = 2;

export interface PolicyScaleOptions {
  readonly shapes: readonly PolicyShape[];
  readonly rounds: number;
  /** Decisions timed in one go. */
  readonly decisions: number;
  /** Swaps a round. */
  readonly swaps: number;
  readonly progress: (text: string) => void;
}

/** Measures what policies of several sizes cost: to decide by, to load, to check and to swap. */
export async function runPolicyScale(options: PolicyScaleOptions): Promise<Section> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-policies-'));
  const loader = new PolicyLoader();
  const costs: [PolicyShape, Costs][] = [];
  try {
    for (const shape of options.shapes) {
      options.progress(shape.name);
      const path = join(directory, 'policy.yaml');
      writeFileSync(path, policyText(shape));
      const cost = emptyCosts();
      for (let round = 0; round < options.rounds; round++)
        await measureRound(loader, path, shape, options, cost);
      costs.push([shape, cost]);
    }
  } finally {
    await loader.close();
    rmSync(directory, { recursive: true });
  }
  return {
    title: 'Policies',
    text: 'Decide: names spread over all rules, three in four allowed. Load: a reload of the daemon, from the file to the compiled policy on its main thread; the work is done by a process of low priority. Check: `sallyport check`, from start to exit. Swap: the longest pause of a thread that decides without a break and of the event loop that hands policies over, and the longest of as long a time without a swap, which is the machine’s.',
    tables: [
      {
        caption: 'What a policy costs',
        head: ['policy', 'decide ns', 'load ms', 'check ms', 'compiled MiB'],
        rows: costs.map(([{ name }, cost]) => [
          name,
          figure(cost.decideNs, 0),
          figure(cost.loadMs, 0),
          figure(cost.checkMs, 0),
          figure(cost.compiledMiB, 1),
        ]),
      },
      {
        caption: 'Longest pause of a swap, ms',
        head: ['policy', 'worker', 'worker, no swap', 'main', 'main, no swap'],
        rows: costs.map(([{ name }, cost]) => [
          name,
          figure(cost.workerMs, PAUSE_DIGITS),
          figure(cost.workerIdleMs, PAUSE_DIGITS),
          figure(cost.mainMs, PAUSE_DIGITS),
          figure(cost.mainIdleMs, PAUSE_DIGITS),
        ]),
      },
    ],
  };
}

type Costs = ReturnType<typeof emptyCosts>;

function emptyCosts() {
  return {
    decideNs: [] as number[],
    loadMs: [] as number[],
    checkMs: [] as number[],
    compiledMiB: [] as number[],
    workerMs: [] as number[],
    workerIdleMs: [] as number[],
    mainMs: [] as number[],
    mainIdleMs: [] as number[],
  };
}

async function measureRound(
  loader: PolicyLoader,
  path: string,
  shape: PolicyShape,
  { decisions, swaps }: PolicyScaleOptions,
  into: Costs,
): Promise<void> {
  const startMs = performance.now();
  const load = await loader.load(path, null);
  into.loadMs.push(performance.now() - startMs);
  if (!load.ok || load.policy === null) throw new Error(`${shape.name}: the policy does not load`);
  into.compiledMiB.push(load.policy.byteLength / 1024 / 1024);
  into.decideNs.push(timeDecisions(Policy.from(load.policy), shape, decisions));
  into.checkMs.push(await timeCheck(path));
  const { swapping, otherwise } = await measureSwap({ shape, policy: load.policy }, swaps);
  into.workerMs.push(swapping.worker);
  into.workerIdleMs.push(otherwise.worker);
  into.mainMs.push(swapping.main);
  into.mainIdleMs.push(otherwise.main);
}

/** Nanoseconds a decision. */
function timeDecisions(policy: Policy, shape: PolicyShape, decisions: number): number {
  const queries = queriesFor(shape);
  const decide = (count: number): number => {
    let matched = 0;
    for (let i = 0; i < count; i++) {
      const query = queries[i % queries.length];
      if (query !== undefined && policy.decide(query).state === 'MATCHED') matched++;
    }
    return matched;
  };
  // Once for the compiler, which also shows that the right ones are allowed.
  const matched = decide(queries.length);
  if (matched !== 0.75 * queries.length)
    throw new Error(`${shape.name}: ${matched} of ${queries.length} queries were allowed`);
  const startMs = performance.now();
  decide(decisions);
  return ((performance.now() - startMs) * 1e6) / decisions;
}

async function timeCheck(path: string): Promise<number> {
  const startMs = performance.now();
  await promisify(execFile)(process.execPath, [MAIN, 'check', path]);
  return performance.now() - startMs;
}
