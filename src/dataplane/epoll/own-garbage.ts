import { setFlagsFromString } from 'node:v8';

/**
 * V8 shares the work of a collection out to helper threads, and then waits for them. A worker that has a core to itself
 * would give up that core to its own helpers, a scheduler's slice at a time: the p99 of short flows was 15 ms instead
 * of 3. `parallel-marking` is left alone: V8 fails when it goes off after the first collection.
 */
const HELPERS = [
  'concurrent-marking',
  'concurrent-sweeping',
  'concurrent-array-buffer-sweeping',
  'parallel-scavenge',
  'parallel-compaction',
  'parallel-pointer-update',
];

/** From now on, every thread of the process collects its own garbage. */
export function collectOwnGarbage(): void {
  for (const helper of HELPERS) setFlagsFromString(`--no-${helper}`);
}
