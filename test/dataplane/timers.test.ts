import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { nodeTimers, type Timer } from '../../src/dataplane/timers.ts';
import { listenOn } from '../support/upstream.ts';
import { FakeClock } from './support.ts';

function clockWith(...delays: readonly number[]) {
  const clock = new FakeClock();
  const fired: string[] = [];
  const timers = delays.map((delay, i) => clock.timers.after(delay, () => fired.push(`${i}@${clock.nowMs}`)));
  return { clock, fired, timers };
}

function only(timers: readonly Timer[]): Timer {
  const [timer] = timers;
  if (timer === undefined) throw new Error('no timer');
  return timer;
}

describe('TimerQueue', () => {
  it('fires each timer at its time, once', () => {
    const { clock, fired } = clockWith(300, 100, 200, 100);
    clock.advance(1_000);
    expect(fired).toEqual(['1@100', '3@100', '2@200', '0@300']);
  });

  it('fires nothing before its time', () => {
    const { clock, fired } = clockWith(100);
    clock.advance(99);
    expect(fired).toEqual([]);
    expect(clock.timers.untilNextMs()).toBe(1);
  });

  it('says how long until the next, 0 when it is overdue, -1 when there is none', () => {
    const { clock } = clockWith(300, 100);
    expect(clock.timers.untilNextMs()).toBe(100);
    clock.nowMs = 500;
    expect(clock.timers.untilNextMs()).toBe(0);
    clock.timers.fireDue();
    expect(clock.timers.untilNextMs()).toBe(-1);
  });

  it('rounds up, so that a loop that sleeps so long finds the timer due', () => {
    const { clock, fired } = clockWith(100);
    clock.nowMs = 0.25;
    expect(clock.timers.untilNextMs()).toBe(100);
    clock.nowMs += 100;
    clock.timers.fireDue();
    expect(fired).toHaveLength(1);
  });

  it('begins the whole delay again on refresh, behind the timers set meanwhile', () => {
    const { clock, fired, timers } = clockWith(100, 100);
    clock.advance(60);
    only(timers).refresh();
    clock.advance(200);
    expect(fired).toEqual(['1@100', '0@160']);
  });

  it.each<[string, (timer: Timer, clock: FakeClock) => void]>([
    ['cancelled', timer => timer.cancel()],
    ['cancelled twice', timer => [timer.cancel(), timer.cancel()]],
    ['refreshed after cancel', timer => [timer.cancel(), timer.refresh()]],
  ])('does not fire a timer that was %s', (_, act) => {
    const { clock, fired, timers } = clockWith(100);
    act(only(timers), clock);
    clock.advance(1_000);
    expect(fired).toEqual([]);
    expect(clock.isIdle).toBe(true);
  });

  it('does nothing on refresh or cancel of a timer that has fired', () => {
    const { clock, fired, timers } = clockWith(100);
    clock.advance(100);
    only(timers).refresh();
    only(timers).cancel();
    clock.advance(1_000);
    expect(fired).toEqual(['0@100']);
    expect(clock.isIdle).toBe(true);
  });

  it('lets a firing timer set another of the same delay, which waits its full delay', () => {
    const clock = new FakeClock();
    const fired: number[] = [];
    const again = () => {
      fired.push(clock.nowMs);
      if (fired.length < 3) clock.timers.after(100, again);
    };
    clock.timers.after(100, again);
    clock.nowMs = 100;
    clock.timers.fireDue();
    expect(fired).toEqual([100]);
    clock.advance(1_000);
    expect(fired).toEqual([100, 200, 300]);
  });

  it('lets a firing timer set one of a new delay, cancel a later one and refresh another', () => {
    const clock = new FakeClock();
    const fired: string[] = [];
    const note = (name: string) => () => fired.push(`${name}@${clock.nowMs}`);
    clock.timers.after(100, () => {
      cancelled.cancel();
      refreshed.refresh();
      clock.timers.after(7, note('new'));
    });
    const cancelled = clock.timers.after(100, note('cancelled'));
    const refreshed = clock.timers.after(100, note('refreshed'));
    clock.advance(1_000);
    expect(fired).toEqual(['new@107', 'refreshed@200']);
  });

  it('agrees with a plain list of timers, whatever is done to them', () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constant('set' as const), delay: fc.constantFrom(1, 5, 50, 250) }),
      fc.record({ kind: fc.constantFrom('refresh' as const, 'cancel' as const), index: fc.nat(20) }),
      fc.record({ kind: fc.constant('advance' as const), ms: fc.nat(120) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), actions => {
        const clock = new FakeClock();
        const fired: number[] = [];
        const timers: Timer[] = [];
        const model: { delay: number; dueMs: number }[] = [];
        const expected: number[] = [];
        for (const act of actions) {
          switch (act.kind) {
            case 'set': {
              const index = timers.length;
              timers.push(clock.timers.after(act.delay, () => fired.push(index)));
              model.push({ delay: act.delay, dueMs: clock.nowMs + act.delay });
              break;
            }
            case 'refresh': {
              timers[act.index]?.refresh();
              const timer = model[act.index];
              if (timer !== undefined && timer.dueMs < Number.POSITIVE_INFINITY) {
                timer.dueMs = clock.nowMs + timer.delay;
              }
              break;
            }
            case 'cancel': {
              timers[act.index]?.cancel();
              const timer = model[act.index];
              if (timer !== undefined) timer.dueMs = Number.POSITIVE_INFINITY;
              break;
            }
            default: {
              clock.advance(act.ms);
              const due = model.flatMap((timer, index) => (timer.dueMs <= clock.nowMs ? [index] : []));
              for (const index of due) {
                const timer = model[index];
                if (timer !== undefined) timer.dueMs = Number.POSITIVE_INFINITY;
              }
              expected.push(...due);
            }
          }
          // Which of two timers that fall due in one step goes first is not promised across delays.
          expect([...fired].sort()).toEqual([...expected].sort());
        }
      }),
    );
  });
});

it('nodeTimers fires after what has arrived was read, also when the thread stood still meanwhile', async () => {
  const server = createServer();
  const port = await listenOn(server);
  const arrived = once(server, 'connection');
  const client = connect(port, '127.0.0.1');
  const [[socket]] = await Promise.all([arrived, once(client, 'connect')]);
  const happened: string[] = [];
  const over = new Promise<void>(resolve => {
    socket.on('data', () => happened.push('read'));
    nodeTimers.after(5, () => {
      happened.push('fired');
      resolve();
    });
  });
  client.write('in time');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  await over;
  client.destroy();
  server.close();
  expect(happened).toEqual(['read', 'fired']);
});

describe('nodeTimers keeps the same contract', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  const started = () => {
    const fire = vi.fn();
    return { fire, timer: nodeTimers.after(100, fire) };
  };

  it('fires once, after the delay', () => {
    const { fire } = started();
    vi.advanceTimersByTime(99);
    expect(fire).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1_000);
    expect(fire).toHaveBeenCalledOnce();
  });

  it('begins again on refresh', () => {
    const { fire, timer } = started();
    vi.advanceTimersByTime(60);
    timer.refresh();
    vi.advanceTimersByTime(99);
    expect(fire).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2);
    expect(fire).toHaveBeenCalledOnce();
  });

  it('does not fire after cancel, whatever comes', () => {
    const { fire, timer } = started();
    timer.cancel();
    timer.refresh();
    vi.advanceTimersByTime(1_000);
    expect(fire).not.toHaveBeenCalled();
  });

  it('does nothing on refresh after it has fired', () => {
    const { fire, timer } = started();
    vi.advanceTimersByTime(100);
    timer.refresh();
    vi.advanceTimersByTime(1_000);
    expect(fire).toHaveBeenCalledOnce();
  });
});
