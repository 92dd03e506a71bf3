import { describe, expect, it } from 'vitest';
import { restartDelayMs, WINDOW_MS } from '../../../src/dataplane/epoll/restart-delay.ts';

describe('a worker that has died is started again', () => {
  it.each([
    ['at once, the first time', [5_000], 0],
    ['a little later, the second time', [0, 5_000], 100],
    ['later each time', [0, 1_000, 2_000, 3_000], 2_000],
    ['not any more, the fifth time in a minute', [0, 1_000, 2_000, 3_000, 59_999], null],
    ['at once, when it lived well for a minute', [0, 1_000, 2_000, 3_000, 3_000 + WINDOW_MS], 0],
    ['by what it did in the last minute alone', [0, 0, 0, 59_000, WINDOW_MS], 100],
  ])('%s', (_, deaths, delay) => {
    expect(restartDelayMs(deaths)).toBe(delay);
  });
});
