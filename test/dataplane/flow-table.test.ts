import { describe, expect, it } from 'vitest';
import { Counters } from '../../src/dataplane/counters.ts';
import type { DecisionEvent } from '../../src/dataplane/events.ts';
import { SourceCounts } from '../../src/dataplane/source-counts.ts';
import { ip } from '../resolve/support.ts';
import { buildClientHello } from '../support/client-hello.ts';
import { tableOf } from './table.ts';

const reasons = (decisions: readonly DecisionEvent[]) => decisions.map(({ reason }) => reason);

describe('FlowTable', () => {
  it('counts the flows that are open, by listener', () => {
    const { table, serve, counters } = tableOf({});
    const first = serve();
    serve('192.0.2.1', 1);
    expect([table.size, counters.openFlows(0), counters.openFlows(1)]).toEqual([2, 1, 1]);
    first.user?.clientReset();
    expect([table.size, counters.openFlows(0), counters.openFlows(1)]).toEqual([1, 0, 1]);
  });

  it('refuses the flow past the limit, says so, and keeps no trace of it', () => {
    const { table, serve, decisions, counters } = tableOf({ flowLimit: 2 });
    const first = serve();
    serve();
    expect(serve().calls).toEqual(['hangUp nothing']);
    expect(reasons(decisions)).toEqual(['flow_limit']);
    expect([table.size, counters.allOpenFlows()]).toEqual([2, 2]);
    first.user?.clientReset();
    serve();
    expect(table.size).toBe(2);
  });

  it('counts the flows of other workers against the limit', () => {
    const { serve, decisions, counters } = tableOf({ flowLimit: 2 });
    const other = counters.worker(1);
    other.opened(1);
    other.opened(0);
    serve();
    expect(reasons(decisions)).toEqual(['flow_limit']);
  });

  it('refuses the flow past a source’s limit, and no other source’s', () => {
    const { table, serve, decisions } = tableOf({ flowsPerSource: 1 });
    const first = serve('192.0.2.1');
    serve('192.0.2.1');
    serve('192.0.2.2');
    expect(reasons(decisions)).toEqual(['source_limit']);
    expect(table.size).toBe(2);
    first.user?.clientReset();
    serve('192.0.2.1');
    expect(reasons(decisions)).toEqual(['source_limit', 'client_closed']);
  });

  it('gives a source back what a refused flow never took', () => {
    const { serve, decisions } = tableOf({ flowsPerSource: 2 });
    const open = [serve(), serve()];
    for (let i = 0; i < 5; i++) serve();
    expect(reasons(decisions)).toEqual(new Array(5).fill('source_limit'));
    for (const wire of open) wire.user?.clientReset();
    decisions.length = 0;
    for (let i = 0; i < 3; i++) serve();
    expect(reasons(decisions)).toEqual(['source_limit']);
  });

  it('does not count a flow that the flow limit refused against its source', () => {
    const shared = { counters: Counters.create(2, 2), sources: SourceCounts.create(2).worker(0) };
    const { serve } = tableOf({ flowLimit: 1, flowsPerSource: 1 }, shared);
    const first = serve('192.0.2.1');
    serve('192.0.2.2');
    first.user?.clientReset();
    expect(shared.sources.tryOpen(ip('192.0.2.2'), 1)).toBe(true);
    expect(shared.sources.tryOpen(ip('192.0.2.1'), 1)).toBe(true);
  });

  describe('of connections whose opening is awaited', () => {
    const openings = { undecided: 6, undecidedPerSource: 2 };

    it('admits so many of a source; the others have their records', () => {
      const { table, serve, decisions, counters } = tableOf({ openings });
      for (let i = 0; i < 3; i++) serve('192.0.2.1');
      serve('192.0.2.2');
      expect(reasons(decisions)).toEqual(['undecided_source_limit']);
      expect(decisions[0]).toMatchObject({
        action: 'deny',
        state: 'DENIED',
        srcIp: '192.0.2.1',
        dstPort: 443,
      });
      expect([table.size, counters.allOpenFlows(), counters.allAwaited()]).toEqual([3, 3, 3]);
    });

    it('admits so many in all', () => {
      const { serve, decisions, counters } = tableOf({ openings });
      for (let i = 0; i < 8; i++) serve(`192.0.2.${i}`);
      expect(reasons(decisions)).toEqual(['undecided_limit', 'undecided_limit']);
      expect(counters.allAwaited()).toBe(6);
    });

    it('admits no more of a source than are left for others', () => {
      const { serve, decisions } = tableOf({ openings: { undecided: 100, undecidedPerSource: 0 } });
      for (let i = 0; i < 1_000; i++) serve(`192.0.2.${i % 9}`);
      expect(new Set(reasons(decisions))).toEqual(new Set(['undecided_limit']));
      decisions.length = 0;
      serve('198.51.100.1');
      expect(decisions).toEqual([]);
    });

    it('admits the next one when one has gone', () => {
      const { serve, decisions, counters } = tableOf({ openings });
      const first = serve();
      serve();
      first.user?.clientReset();
      serve();
      expect(reasons(decisions)).toEqual(['client_closed']);
      expect(counters.allAwaited()).toBe(2);
    });

    it('admits the next one when one was heard', () => {
      const { serve, decisions, counters } = tableOf({ openings });
      const wires = [serve(), serve()];
      for (const { user } of wires) user?.clientBytes(buildClientHello({ serverName: 'allowed.example' }));
      for (let i = 0; i < 2; i++) serve();
      expect(reasons(decisions)).toEqual([null, null]);
      expect([counters.allOpenFlows(), counters.allAwaited()]).toEqual([4, 2]);
    });

    it('counts those of other workers', () => {
      const { serve, decisions, counters } = tableOf({ openings });
      counters.worker(1).awaited(6);
      serve();
      expect(reasons(decisions)).toEqual(['undecided_limit']);
    });

    it('leaves the flow limit alone: a flow that it refuses is awaited no more', () => {
      const { serve, counters } = tableOf({ openings, flowLimit: 1 });
      for (let i = 0; i < 5; i++) serve(`192.0.2.${i}`);
      expect(counters.allAwaited()).toBe(1);
    });
  });

  it('ends all flows', () => {
    const { table, serve, counters } = tableOf({});
    const wires = [serve(), serve(), serve()];
    table.abandonAll('drained');
    expect([table.size, counters.allOpenFlows()]).toEqual([0, 0]);
    expect(wires.map(({ calls }) => calls)).toEqual([['reset'], ['reset'], ['reset']]);
  });
});
