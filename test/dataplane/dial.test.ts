import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Dial, type DialOutcome } from '../../src/dataplane/dial.ts';
import type { DialFailure } from '../../src/dataplane/events.ts';
import { ip } from '../resolve/support.ts';
import { FakeAttempt, FakeClock } from './support.ts';

class DialRig {
  readonly clock = new FakeClock();
  readonly attempts: FakeAttempt[] = [];
  /** `1@250`: the second address was tried after 250 ms. */
  readonly tries: string[] = [];
  readonly outcomes: string[] = [];
  readonly dial: Dial<FakeAttempt>;

  constructor(count: number, timeoutMs = 10_000) {
    this.dial = new Dial<FakeAttempt>({
      addresses: Array.from({ length: count }, (_, i) => ip(`198.51.100.${i}`)),
      port: 443,
      timers: this.clock.timers,
      timeoutMs,
      connect: (address, port, settle) => {
        this.tries.push(`${this.attempts.length}@${this.clock.nowMs}`);
        const attempt = new FakeAttempt(address, port, settle);
        this.attempts.push(attempt);
        return attempt;
      },
      done: outcome => this.outcomes.push(this.#describe(outcome)),
    });
  }

  settle(index: number, failure: DialFailure | null): void {
    const attempt = this.attempts[index];
    if (attempt === undefined) throw new Error(`attempt ${index} has not begun`);
    attempt.settle(failure);
  }

  get states(): string[] {
    return this.attempts.map(({ state }) => state);
  }

  #describe(outcome: DialOutcome<FakeAttempt>): string {
    return outcome.ok
      ? `connected ${outcome.ip} over attempt ${this.attempts.indexOf(outcome.attempt)}`
      : outcome.failure;
  }
}

describe('Dial', () => {
  it('tries the first address at once and the next every 250 ms', () => {
    const rig = new DialRig(4);
    rig.clock.advance(2_000);
    expect(rig.tries).toEqual(['0@0', '1@250', '2@500', '3@750']);
  });

  it('tries the next at once when one fails, and gives that one 250 ms again', () => {
    const rig = new DialRig(3);
    rig.clock.advance(100);
    rig.settle(0, 'refused');
    expect(rig.tries).toEqual(['0@0', '1@100']);
    rig.clock.advance(249);
    expect(rig.tries).toHaveLength(2);
    rig.clock.advance(1);
    expect(rig.tries).toEqual(['0@0', '1@100', '2@350']);
  });

  it('takes the first that connects and aborts the others', () => {
    const rig = new DialRig(3);
    rig.clock.advance(500);
    rig.settle(1, null);
    expect(rig.outcomes).toEqual(['connected 198.51.100.1 over attempt 1']);
    expect(rig.states).toEqual(['aborted', 'connected', 'aborted']);
    expect(rig.clock.isIdle).toBe(true);
  });

  it('tries no further once one has connected', () => {
    const rig = new DialRig(3);
    rig.settle(0, null);
    rig.clock.advance(20_000);
    expect(rig.tries).toEqual(['0@0']);
    expect(rig.outcomes).toHaveLength(1);
  });

  it('fails with the last failure when all have failed', () => {
    const rig = new DialRig(2);
    rig.settle(0, 'unreachable');
    rig.settle(1, 'refused');
    expect(rig.outcomes).toEqual(['refused']);
    expect(rig.clock.isIdle).toBe(true);
  });

  it('waits for those under way when the last address fails', () => {
    const rig = new DialRig(2);
    rig.clock.advance(250);
    rig.settle(1, 'refused');
    expect(rig.outcomes).toEqual([]);
    rig.settle(0, null);
    expect(rig.outcomes).toEqual(['connected 198.51.100.0 over attempt 0']);
  });

  it('gives up one address after 5 s, and aborts it', () => {
    const rig = new DialRig(1);
    rig.clock.advance(4_999);
    expect(rig.outcomes).toEqual([]);
    rig.clock.advance(1);
    expect(rig.outcomes).toEqual(['timeout']);
    expect(rig.states).toEqual(['aborted']);
    expect(rig.clock.isIdle).toBe(true);
  });

  it('gives up all addresses after the overall timeout', () => {
    const rig = new DialRig(30, 3_000);
    rig.clock.advance(2_999);
    expect(rig.outcomes).toEqual([]);
    rig.clock.advance(1);
    expect(rig.outcomes).toEqual(['timeout']);
    expect(new Set(rig.states)).toEqual(new Set(['aborted']));
    rig.clock.advance(60_000);
    expect(rig.tries).toHaveLength(12);
  });

  it('says nothing more once cancelled, and aborts every attempt', () => {
    const rig = new DialRig(3);
    rig.clock.advance(250);
    rig.dial.cancel();
    rig.clock.advance(60_000);
    expect(rig.states).toEqual(['aborted', 'aborted']);
    expect(rig.outcomes).toEqual([]);
    expect(rig.clock.isIdle).toBe(true);
  });

  it('ends exactly once and leaves nothing open, whatever the attempts do', () => {
    const event = fc.oneof(
      fc.nat(2_000).map(ms => ({ kind: 'pass' as const, ms })),
      fc.record({
        kind: fc.constant('settle' as const),
        index: fc.nat(5),
        failure: fc.constantFrom<DialFailure | null>(null, 'refused', 'unreachable', 'other'),
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(event, { maxLength: 20 }), (count, events) => {
        const rig = new DialRig(count);
        for (const step of events) {
          if (step.kind === 'pass') rig.clock.advance(step.ms);
          else if (rig.states[step.index] === 'pending') rig.settle(step.index, step.failure);
        }
        rig.clock.advance(10_000);
        expect(rig.outcomes).toHaveLength(1);
        expect(rig.states.filter(state => state === 'connected')).toHaveLength(
          rig.outcomes[0]?.startsWith('connected') ? 1 : 0,
        );
        expect(rig.states).not.toContain('pending');
        expect(rig.clock.isIdle).toBe(true);
      }),
    );
  });
});
