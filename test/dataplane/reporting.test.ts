import { describe, expect, it } from 'vitest';
import type { Saying } from '../../src/dataplane/events.ts';
import { type FlowReporter, Reporting } from '../../src/dataplane/reporting.ts';
import { close, decision } from '../observe/support.ts';
import { FakeClock } from './support.ts';

/** Reports the ids of flows; full at the third. */
class IdReporter implements FlowReporter<readonly string[]> {
  #ids: string[] = [];
  isHolding = false;

  get isFull(): boolean {
    return this.#ids.length >= 3;
  }

  decided({ flow }: { flow: string }): Saying {
    this.#ids.push(`${flow} decided`);
    return 'said';
  }

  closed({ flow }: { flow: string }): void {
    this.#ids.push(`${flow} closed`);
  }

  take(): readonly string[] {
    const ids = this.#ids;
    this.#ids = [];
    return ids;
  }

  takeAll(): readonly string[] {
    return [...this.take(), 'all'];
  }
}

function reportingOf() {
  const clock = new FakeClock();
  const sent: [number, readonly string[]][] = [];
  const reporter = new IdReporter();
  const reporting = new Reporting(reporter, clock.timers, report => sent.push([clock.nowMs, report]));
  return { clock, sent, reporter, reporting };
}

describe('Reporting', () => {
  it('sends nothing, and sets no timer, before anything happens', () => {
    const { clock, sent } = reportingOf();
    clock.advance(1_000);
    expect([sent, clock.isIdle]).toEqual([[], true]);
  });

  it('sends in one report what happens within a tenth of a second of the first event', () => {
    const { clock, sent, reporting } = reportingOf();
    reporting.decided(decision({ flow: 'a' }));
    clock.advance(9);
    expect(sent).toEqual([]);
    reporting.closed(close({ flow: 'a' }));
    clock.advance(100);
    expect(sent).toEqual([[100, ['a decided', 'a closed']]]);
    expect(clock.isIdle).toBe(true);
  });

  it('waits anew for company after each report', () => {
    const { clock, sent, reporting } = reportingOf();
    reporting.decided(decision({ flow: 'a' }));
    clock.advance(100);
    reporting.closed(close({ flow: 'a' }));
    clock.advance(100);
    expect(sent).toEqual([
      [100, ['a decided']],
      [200, ['a closed']],
    ]);
  });

  it('sends at once when the reporter is full, and not again when the wait would have ended', () => {
    const { clock, sent, reporting } = reportingOf();
    for (const flow of ['a', 'b', 'c']) reporting.decided(decision({ flow }));
    expect(sent).toEqual([[0, ['a decided', 'b decided', 'c decided']]]);
    clock.advance(100);
    expect(sent).toHaveLength(1);
  });

  it('gives what follows a full report its whole wait', () => {
    const { clock, sent, reporting } = reportingOf();
    for (const flow of ['a', 'b']) reporting.decided(decision({ flow }));
    clock.advance(8);
    for (const flow of ['c', 'd']) reporting.decided(decision({ flow }));
    clock.advance(100);
    expect(sent.map(([atMs]) => atMs)).toEqual([8, 108]);
  });

  it('asks again every second while something is kept back, and stops when nothing is', () => {
    const { clock, sent, reporter, reporting } = reportingOf();
    reporter.isHolding = true;
    reporting.decided(decision({ flow: 'a' }));
    clock.advance(2_500);
    expect(sent).toEqual([
      [100, ['a decided']],
      [1_100, []],
      [2_100, []],
    ]);
    reporting.decided(decision({ flow: 'b' }));
    reporter.isHolding = false;
    clock.advance(10_000);
    expect(sent.slice(3)).toEqual([[2_600, ['b decided']]]);
    expect(clock.isIdle).toBe(true);
  });

  it('sends all there is at the end, and nothing after', () => {
    const { clock, sent, reporting } = reportingOf();
    reporting.closed(close({ flow: 'a' }));
    reporting.finish();
    expect(sent).toEqual([[0, ['a closed', 'all']]]);
    clock.advance(100);
    expect([sent.length, clock.isIdle]).toEqual([1, true]);
  });
});
