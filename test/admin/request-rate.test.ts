import { describe, expect, it } from 'vitest';
import { RequestRate } from '../../src/admin/request-rate.ts';

/** A rate, and how many of `count` requests of a peer it serves at once. */
function rateAt() {
  const clock = { nowMs: 0 };
  const rate = new RequestRate(() => clock.nowMs);
  const served = (peer: string, count: number) =>
    Array.from({ length: count }, () => rate.take(peer)).filter(wait => wait === 0).length;
  return { clock, rate, served };
}

describe('the rate of requests', () => {
  it('serves five hundred at once, then a hundred a second', () => {
    const { clock, served } = rateAt();
    expect(served('a', 1_000)).toBe(500);
    clock.nowMs += 1_000;
    expect(served('a', 1_000)).toBe(100);
    clock.nowMs += 60_000;
    expect(served('a', 1_000)).toBe(500);
  });

  it('says after how many seconds the next one is served', () => {
    const { clock, rate, served } = rateAt();
    served('a', 500);
    expect(rate.take('a')).toBe(1);
    clock.nowMs += 1_000;
    expect(rate.take('a')).toBe(0);
  });

  it('lets one peer not use up what is another’s', () => {
    const { served } = rateAt();
    served('a', 1_000);
    expect(served('b', 10)).toBe(10);
  });

  it('remembers so many peers, however many there are', () => {
    const { rate, served } = rateAt();
    served('a', 500);
    for (let i = 0; i < 1_023; i++) rate.take(`peer ${i}`);
    expect(rate.take('a')).toBe(1);
    for (let i = 0; i < 1_024; i++) rate.take(`other ${i}`);
    expect(rate.take('a')).toBe(0);
  });
});
