import { setImmediate } from 'node:timers/promises';

/** A flow's records, DNS and the admin server wait no longer than this. */
const SLICE_MS = 1;

/** Takes steps to their end, and lets the event loop turn before and in between. Resolves to what they come to. */
export async function inSlices<T>(steps: Iterator<unknown, T>): Promise<T> {
  for (;;) {
    await setImmediate();
    const end = performance.now() + SLICE_MS;
    while (performance.now() < end) {
      const step = steps.next();
      if (step.done === true) return step.value;
    }
  }
}
