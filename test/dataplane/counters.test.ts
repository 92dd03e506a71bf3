import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Counters } from '../../src/dataplane/counters.ts';

describe('Counters', () => {
  it('begins at zero', () => {
    const counters = Counters.create(2, 3);
    expect([counters.bytes(), counters.allOpenFlows()]).toEqual([{ out: 0, in: 0 }, 0]);
  });

  it('shows what another view of the same buffer counted', () => {
    const counters = Counters.create(2, 2);
    const elsewhere = Counters.view(counters.buffer, 2).worker(1);
    elsewhere.moved(10, 20);
    elsewhere.opened(1);
    expect([counters.bytes(), counters.openFlows(0), counters.openFlows(1)]).toEqual([
      { out: 10, in: 20 },
      0,
      1,
    ]);
  });

  it('counts past 2^32 bytes', () => {
    const counters = Counters.create(1, 1);
    const worker = counters.worker(0);
    worker.moved(2 ** 40, 1);
    worker.moved(1, 2 ** 40);
    expect(counters.bytes()).toEqual({ out: 2 ** 40 + 1, in: 2 ** 40 + 1 });
  });

  it('forgets the open flows of a worker that died, and keeps what it relayed', () => {
    const counters = Counters.create(2, 2);
    const [dead, alive] = [counters.worker(0), counters.worker(1)];
    dead.opened(0);
    dead.opened(1);
    dead.moved(10, 20);
    alive.opened(1);
    expect([counters.openFlowsOf(0), counters.openFlowsOf(1)]).toEqual([2, 1]);
    counters.forget(0);
    expect([counters.openFlows(0), counters.openFlows(1), counters.bytes()]).toEqual([
      0,
      1,
      { out: 10, in: 20 },
    ]);
  });

  it('sums over workers and listeners as plain numbers do', () => {
    const action = fc.record({
      worker: fc.nat(2),
      listener: fc.nat(3),
      kind: fc.constantFrom('opened', 'closed', 'moved'),
      out: fc.nat(1_000_000),
      in: fc.nat(1_000_000),
    });
    fc.assert(
      fc.property(fc.array(action), actions => {
        const counters = Counters.create(3, 4);
        const workers = [0, 1, 2].map(index => counters.worker(index));
        const open = [0, 0, 0, 0];
        const bytes = { out: 0, in: 0 };
        for (const act of actions) {
          const worker = workers[act.worker];
          if (act.kind === 'moved') {
            worker?.moved(act.out, act.in);
            bytes.out += act.out;
            bytes.in += act.in;
          } else {
            if (act.kind === 'opened') worker?.opened(act.listener);
            else worker?.closed(act.listener);
            open[act.listener] = (open[act.listener] ?? 0) + (act.kind === 'opened' ? 1 : -1);
          }
        }
        expect(open.map((_, listener) => counters.openFlows(listener))).toEqual(open);
        expect(counters.allOpenFlows()).toBe(open.reduce((a, b) => a + b, 0));
        expect(counters.bytes()).toEqual(bytes);
      }),
    );
  });
});
