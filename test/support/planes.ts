import { describe } from 'vitest';

export type Plane = 'epoll' | 'portable';

/** Runs `tests` once for each data plane, and says so where one cannot be had. */
export function describePlanes(subject: string, tests: (dataplane: Plane) => void): void {
  for (const plane of ['epoll', 'portable'] as const) {
    const isMissing = plane === 'epoll' && process.platform !== 'linux';
    const title = `${subject}, ${plane} data plane${isMissing ? ' (skipped: epoll needs Linux)' : ''}`;
    describe.skipIf(isMissing)(title, () => tests(plane));
  }
}
