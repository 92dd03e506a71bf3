import { performance } from 'node:perf_hooks';

/** What time it is, for what flows record and wait for. An event loop reads the system's clocks once for many events. */
export interface Clock {
  /** Monotonic, in milliseconds with a fraction. */
  readonly nowMs: number;
  /** Epoch milliseconds. */
  readonly epochMs: number;
}

/** The system's clocks, read at every question. */
export const systemClock: Clock = {
  get nowMs() {
    return performance.now();
  },
  get epochMs() {
    return Date.now();
  },
};
