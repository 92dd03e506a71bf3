import { describe, expect, it } from 'vitest';
import { arrivalTimes } from '../../bench/load/arrivals.ts';

describe('the schedule of an open loop', () => {
  const times = arrivalTimes(5_000, 2);

  it('has as many flows as the rate asks for', () => {
    expect(times).toHaveLength(10_000);
  });

  it('goes forward, and takes about as long as it should', () => {
    expect(times.every((time, i) => time > (times[i - 1] ?? 0))).toBe(true);
    expect(times.at(-1)).toBeGreaterThan(1_900);
    expect(times.at(-1)).toBeLessThan(2_100);
  });

  it('has bursts: gaps vary as those of a Poisson process do', () => {
    const gaps = [...times].map((time, i) => time - (times[i - 1] ?? 0));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
    expect(Math.sqrt(variance) / mean).toBeCloseTo(1, 1);
  });

  it('is the same for everybody', () => {
    expect(arrivalTimes(5_000, 2)).toEqual(times);
  });
});
