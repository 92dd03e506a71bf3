import { Worker } from 'node:worker_threads';
import type { ChangePlan, PolicyChange } from '../config/plan-change.ts';
import type { PolicyDefaults } from '../config/policy-defaults.ts';
import { affordableHeapMb, type PolicyLoader } from './policy-loader.ts';
import { RESTART_NEEDED } from './program-files.ts';

/** What the thread is asked. */
export interface EditJob {
  readonly path: string;
  readonly change: PolicyChange;
  readonly nowMs: number;
  readonly defaults: PolicyDefaults;
}

/**
 * Works out a change of the policy in a thread of its own, so that nothing else waits however large the policy is. What
 * is too large for the thread ends the thread, and is refused.
 */
export async function planInThread(
  path: string,
  change: PolicyChange,
  { defaults, programFiles }: Pick<PolicyLoader, 'defaults' | 'programFiles'>,
): Promise<ChangePlan> {
  if (programFiles.haveChanged()) {
    return { ok: false, reason: 'invalid', errors: [`the change cannot be worked out: ${RESTART_NEEDED}`] };
  }
  const job: EditJob = { path, change, nowMs: Date.now(), defaults };
  const thread = new Worker(new URL('./edit-thread.js', import.meta.url), {
    name: 'sallyport-edit',
    workerData: job,
    resourceLimits: { maxOldGenerationSizeMb: affordableHeapMb() },
  });
  thread.unref();
  return new Promise(resolve => {
    const fail = (fault: unknown) =>
      resolve({
        ok: false,
        reason: 'invalid',
        errors: [`the change cannot be worked out: ${String(fault)}`],
      });
    thread.once('message', resolve).once('error', fail);
    thread.once('exit', code => fail(`the thread ended with ${code}`));
  });
}
