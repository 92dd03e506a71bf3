import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Policy } from '../src/policy/policy.ts';
import type { PolicyShape } from './policy-texts.ts';

/** What the decider is born with. */
export interface DeciderJob {
  readonly shape: PolicyShape;
  readonly policy: SharedArrayBuffer;
}

export type ToDecider =
  | { readonly type: 'policy'; readonly policy: SharedArrayBuffer }
  /** Answer with the longest gap since the last time, in milliseconds. */
  | { readonly type: 'tell' }
  | { readonly type: 'stop' };

/** The longest pauses of both threads, in milliseconds. */
export interface Pauses {
  readonly worker: number;
  readonly main: number;
}

const SWAP_EVERY_MS = 100;
const RESOLUTION_MS = 1;

/**
 * Swaps a policy again and again, and as often does nothing in its place: what stalls the thread that decides, and the
 * one that hands over? Pauses of the scheduler are among them.
 */
export async function measureSwap(
  job: DeciderJob,
  swaps: number,
): Promise<{ readonly swapping: Pauses; readonly otherwise: Pauses }> {
  const worker = new Worker(new URL('./policy-decider.js', import.meta.url), { workerData: job });
  const tell = (message: ToDecider) => worker.postMessage(message);
  const main = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  main.enable();
  try {
    await once(worker, 'message');
    const pausesOf = async (act: () => void): Promise<Pauses> => {
      tell({ type: 'tell' });
      await once(worker, 'message');
      main.reset();
      for (let i = 0; i < swaps; i++) {
        act();
        await setTimeout(SWAP_EVERY_MS);
      }
      const longest = main.max / 1e6 - RESOLUTION_MS;
      tell({ type: 'tell' });
      const [worst] = await once(worker, 'message');
      return { worker: worst, main: longest };
    };
    const otherwise = await pausesOf(() => {});
    const held: { policy: Policy | null } = { policy: null };
    const swapping = await pausesOf(() => {
      held.policy = Policy.from(job.policy);
      tell({ type: 'policy', policy: held.policy.buffer });
    });
    return { swapping, otherwise };
  } finally {
    main.disable();
    tell({ type: 'stop' });
    await once(worker, 'exit');
  }
}
