/** A worker that dies so often within the window is not started again. */
export const DEATHS_BORNE = 5;
export const WINDOW_MS = 60_000;
/** At once, then later each time: clients wait in the listening sockets' queues meanwhile. */
const DELAYS_MS = [0, 100, 500, 2_000];

/**
 * How long to wait before a worker that has died is started again, in milliseconds; null when it dies too often. `deaths`:
 * when it died, on a monotonic clock, the present one last.
 */
export function restartDelayMs(deaths: readonly number[]): number | null {
  const last = deaths.at(-1) ?? 0;
  const recent = deaths.filter(ms => last - ms < WINDOW_MS).length;
  return DELAYS_MS[recent - 1] ?? null;
}
