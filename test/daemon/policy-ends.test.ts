import { describe, expect, it } from 'vitest';
import { PolicyEnds } from '../../src/daemon/policy-ends.ts';
import { createLog } from '../../src/observe/log.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { Policy } from '../../src/policy/policy.ts';
import { MemoryDestination } from '../observe/support.ts';
import { policyOf, rule } from '../policy/reference.ts';

const HOUR = 3_600_000;

/** A policy that observes until `observeUntilMs`, with a rule for each of `untils`. */
function policyUntil(observeUntilMs: number | null, ...untils: (number | null)[]): Policy {
  const rules = untils.map((untilMs, i) => ({ ...rule(`rule-${i}`, [`h${i}.example`]), untilMs }));
  return Policy.from(
    compilePolicy({
      ...policyOf(rules),
      mode: observeUntilMs === null ? 'enforce' : 'observe',
      observeUntilMs,
    }),
  );
}

function followed(first: Policy) {
  const destination = new MemoryDestination();
  const state = { policy: first, nowMs: 0, ends: 0 };
  const ends = new PolicyEnds({
    policy: () => state.policy,
    log: createLog({ level: 'info', format: 'json', gateway: 'gw', destination, now: () => 0 }),
    onEnd: () => {
      state.ends++;
    },
    now: () => state.nowMs,
  });
  const lookAt = (nowMs: number): string[] => {
    state.nowMs = nowMs;
    ends.look();
    return destination.lines.splice(0).map(line => String(JSON.parse(line).msg));
  };
  return { state, lookAt };
}

describe('a policy that changes by itself', () => {
  it('says once that observeUntil has passed', () => {
    const { state, lookAt } = followed(policyUntil(HOUR));
    expect(lookAt(HOUR - 1)).toEqual([]);
    expect(lookAt(HOUR)).toEqual(['mode enforce from now on: observeUntil has passed']);
    expect([lookAt(HOUR + 1), lookAt(9 * HOUR), state.ends]).toEqual([[], [], 1]);
  });

  it('says which rules have ended, each once', () => {
    const { state, lookAt } = followed(policyUntil(null, HOUR, 2 * HOUR, null, HOUR + 1));
    expect(lookAt(HOUR + 5)).toEqual(['until has passed for rule-0, rule-3: they match nothing from now on']);
    expect(lookAt(3 * HOUR)).toEqual(['until has passed for rule-1: they match nothing from now on']);
    expect([lookAt(9 * HOUR), state.ends]).toEqual([[], 2]);
  });

  it('names twenty of many', () => {
    const { lookAt } = followed(policyUntil(null, ...new Array(25).fill(HOUR)));
    expect(lookAt(HOUR)).toEqual([expect.stringMatching(/rule-19 and 5 more: they match/)]);
  });

  it('says so when the clock jumps past it, and when it is set back', () => {
    const { state, lookAt } = followed(policyUntil(HOUR, 2 * HOUR));
    expect(lookAt(100 * HOUR)).toHaveLength(2);
    expect(lookAt(10)).toEqual(['mode observe from now on: the clock was set back before observeUntil']);
    expect(lookAt(HOUR)).toEqual(['mode enforce from now on: observeUntil has passed']);
    expect(state.ends).toBe(3);
  });

  it('leaves what a reload brings to the reload', () => {
    const { state, lookAt } = followed(policyUntil(HOUR));
    state.policy = policyUntil(null, 3 * HOUR);
    expect(lookAt(2 * HOUR)).toEqual([]);
    expect(lookAt(3 * HOUR)).toHaveLength(1);
  });

  it('that never ends says nothing', () => {
    const { lookAt } = followed(policyUntil(null, null));
    expect(lookAt(1e12)).toEqual([]);
  });
});
