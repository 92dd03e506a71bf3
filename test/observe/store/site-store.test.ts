import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Discovery } from '../../../src/observe/discovery.ts';
import { listSites } from '../../../src/observe/site-query.ts';
import type { FromKeeper, ToKeeper } from '../../../src/observe/store/messages.ts';
import { Cidr } from '../../../src/policy/address.ts';
import { BlockSet } from '../../../src/policy/source-groups.ts';
import { close, decision, type FlowEvent, tallyOf } from '../support.ts';
import { connect, count, type Kept, keep, knownBy, NOW, storePath } from './support.ts';

const MINUTE = 60_000;
const HITS = { sinceMs: NOW - 9_000, firstMs: NOW - 5_000, lastMs: NOW - 5_000 };

const events = fc.array(
  fc.oneof(
    fc
      .record({
        timeMs: fc.integer({ min: 0, max: 90 }).map(minutes => NOW - minutes * MINUTE),
        srcIp: fc.constantFrom('10.0.0.1', '10.0.0.2', 'fd00::1'),
        hostname: fc.constantFrom('a.example', 'b.example', null),
        dstPort: fc.constantFrom(443, 8443),
        state: fc.constantFrom('MATCHED' as const, 'NO_MATCH' as const),
        action: fc.constantFrom('allow' as const, 'deny' as const, 'would-deny' as const),
        reason: fc.constantFrom('not_allowed' as const, 'ech' as const, null),
        rule: fc.constantFrom('api', 'one.more', null),
        ech: fc.boolean(),
      })
      .map(decision),
    fc
      .record({
        timeMs: fc.integer({ min: 0, max: 90 }).map(minutes => NOW - minutes * MINUTE),
        srcIp: fc.constantFrom('10.0.0.1', '10.0.0.2'),
        hostname: fc.constantFrom('a.example', 'b.example'),
        bytesOut: fc.nat(1_000),
        reason: fc.constantFrom('name_mismatch' as const, null),
      })
      .map(close),
  ),
  { maxLength: 12 },
);

test('a store answers as memory does, whatever was counted, however often it was closed in between', async () => {
  const reports = fc.array(fc.record({ report: events, restarts: fc.boolean() }), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(reports, async steps => {
      const path = storePath();
      const memory = { discovery: new Discovery({}, NOW) };
      let kept = await keep(path);
      for (const { report, restarts } of steps) {
        count(memory, ...report);
        count(kept, ...report);
        if (!restarts) continue;
        await kept.store.close(5_000);
        kept = await keep(path);
      }
      expect(knownBy(kept)).toEqual(knownBy(memory));
      expect(listSites(kept.discovery.sites.rows(), {})).toHaveLength(memory.discovery.sites.size);
      const sources = new BlockSet([Cidr.parse('10.0.0.1')].filter(cidr => cidr !== null));
      for (const step of ['minute', 'hour'] as const) {
        for (const filter of [{}, { host: 'a.example' }, { port: 8443 }, { sources }]) {
          const sinceMs = NOW - 30 * MINUTE;
          expect(await kept.store.trend(step, filter, sinceMs)).toEqual(
            memory.discovery.trend(step, filter, sinceMs),
          );
        }
      }
      await kept.store.close(5_000);
      expect(kept.log.said).toEqual([]);
    }),
    { numRuns: 30 },
  );
});

describe('after a restart', () => {
  const restarted = async (kept: Kept, options = {}) => {
    await kept.store.close(5_000);
    return keep(kept.store.status.path, options);
  };

  test('counting goes on where it was', async () => {
    const first = await keep(storePath());
    count(first, decision({ timeMs: NOW, rule: 'api' }));
    const second = await restarted(first);
    count(second, decision({ timeMs: NOW + 1_000, rule: 'api' }), close({ bytesOut: 5, bytesIn: 6 }));
    const third = await restarted(second);
    const [row] = knownBy(third).sites;
    expect(row).toMatchObject({ firstSeenMs: NOW, lastSeenMs: NOW + 1_000, bytesOut: 5, bytesIn: 6 });
    expect([row?.states.NO_MATCH, third.discovery.ruleHits.of('api')?.hits]).toEqual([2, 2]);
  });

  test('what was reset stays forgotten', async () => {
    const first = await keep(storePath());
    count(first, decision({ rule: 'api' }));
    const second = await restarted(first);
    expect(second.discovery.reset(NOW + 5_000)).toBe(1);
    count(second, decision({ hostname: 'new.example' }));
    const third = await restarted(second);
    expect(knownBy(third)).toMatchObject({
      sites: [{ host: 'new.example' }],
      rules: [{ name: 'api', hits: 0, sinceMs: NOW + 5_000 }],
    });
    expect(await third.store.trend('hour', {}, 0)).toMatchObject([{ flows: 1 }]);
  });

  test('rows that made room are gone, and a lower bound keeps those seen last', async () => {
    const first = await keep(storePath(), { maxSites: 3 });
    for (let i = 0; i < 5; i++) count(first, decision({ timeMs: NOW + i, hostname: `n${i}.example` }));
    const second = await restarted(first, { maxSites: 3 });
    expect(knownBy(second).sites.map(({ host }) => host)).toEqual(['n2.example', 'n3.example', 'n4.example']);
    const third = await restarted(second, { maxSites: 2 });
    expect(knownBy(third).sites.map(({ host }) => host)).toEqual(['n3.example', 'n4.example']);
    count(third, decision({ timeMs: NOW + 9, hostname: 'n9.example' }));
    expect(knownBy(third).sites.map(({ host }) => host)).toEqual(['n4.example', 'n9.example']);
  });

  test('what is too old is gone', async () => {
    const first = await keep(storePath(), { maxAgeMs: 1_000 });
    count(first, decision({ timeMs: NOW, hostname: 'old.example' }));
    count(first, decision({ timeMs: NOW + 5_000, hostname: 'new.example' }));
    first.discovery.tick(NOW + 5_500);
    expect(knownBy(await restarted(first)).sites).toMatchObject([{ host: 'new.example' }]);
  });

  test('rules that went are gone', async () => {
    const first = await keep(storePath());
    count(first, decision({ rule: 'api' }), decision({ rule: 'old' }));
    const second = await restarted(first);
    second.discovery.ruleHits.forget('old');
    expect(knownBy(await restarted(second)).rules).toMatchObject([{ name: 'api', hits: 1 }]);
  });

  test('the bound of a table that a hundred thousand random names ran through holds', async () => {
    const first = await keep(storePath(), { maxSites: 500 });
    const names = Array.from({ length: 100_000 }, (_, i) =>
      decision({ timeMs: NOW + i, hostname: `n${i}.example` }),
    );
    for (let at = 0; at < names.length; at += 10_000) {
      count(first, ...names.slice(at, at + 10_000));
      await new Promise(resolve => setImmediate(resolve));
    }
    expect(first.discovery.series.minute.size).toBeLessThan(1_000);
    const second = await restarted(first);
    expect(knownBy(second).sites).toHaveLength(500);
    expect(await second.store.trend('hour', { host: 'n99999.example' }, 0)).toMatchObject([{ flows: 1 }]);
  });

  test('a clock that was set back takes nothing away', async () => {
    const first = await keep(storePath(), { maxAgeMs: 3_600_000 });
    count(first, decision({ timeMs: NOW }));
    first.discovery.tick(NOW - 400 * 24 * 3_600_000);
    count(first, decision({ timeMs: NOW - 400 * 24 * 3_600_000 }));
    const second = await restarted(first, { maxAgeMs: 3_600_000 });
    expect(knownBy(second).sites).toMatchObject([
      { firstSeenMs: NOW - 400 * 24 * 3_600_000, lastSeenMs: NOW, states: { NO_MATCH: 2 } },
    ]);
  });
});

describe('a keeper that fails', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: NOW }));
  afterEach(() => vi.useRealTimers());

  /** A keeper that answers as it is told, and notes what it was sent. */
  function scripted(answers: (message: ToKeeper) => readonly FromKeeper[]) {
    const sent: ToKeeper[] = [];
    const kept = connect('/data/x.db', hear => message => {
      sent.push(message);
      for (const answer of answers(message)) hear(answer);
    });
    const batches = () => sent.flatMap(message => (message.type === 'write' ? [message.batch] : []));
    const pass = async (ms: number) => {
      await vi.advanceTimersByTimeAsync(ms);
      await new Promise(resolve => setImmediate(resolve));
      await new Promise(resolve => setImmediate(resolve));
    };
    return { ...kept, sent, batches, pass };
  }
  const opened: FromKeeper = { type: 'opened', sinceMs: null, nextId: 1 };
  const full: FromKeeper = { type: 'failed', message: 'the disk is full', isOpen: true, isSuspect: false };

  test('is asked again, less and less often, with all that has come since; the log says so once', async () => {
    let isFull = true;
    const rig = scripted(({ type }) =>
      type === 'open' ? [opened] : isFull ? [full] : [{ type: 'written' }],
    );
    await rig.pass(0);
    count(rig, decision({ hostname: 'a.example' }));
    await rig.pass(1_000);
    expect(rig.store.status).toMatchObject({ state: 'failing', error: 'the disk is full' });
    count(rig, decision({ hostname: 'b.example' }));
    await rig.pass(60_000);
    expect(rig.batches().length).toBeLessThan(9);
    expect(rig.log.said).toEqual([
      'sites cannot be kept in /data/x.db: the disk is full; they are counted in memory until then',
    ]);
    isFull = false;
    await rig.pass(60_000);
    expect(rig.store.status).toMatchObject({ state: 'open', error: null });
    expect(rig.log.said[1]).toBe('sites are kept in /data/x.db again');
    const last = rig.batches().at(-1);
    expect(JSON.parse(last?.sites ?? '').map((row: unknown[]) => row[2])).toEqual(['a.example', 'b.example']);
    expect(JSON.parse(last?.minutes ?? '')).toHaveLength(2);
  });

  test('to open is asked to open again', async () => {
    let opens = 0;
    const rig = scripted(({ type }): FromKeeper[] => {
      if (type !== 'open') return [{ type: 'written' }];
      return ++opens < 3
        ? [{ type: 'failed', message: 'no permission', isOpen: false, isSuspect: false }]
        : [opened];
    });
    await rig.pass(0);
    count(rig, decision());
    await rig.pass(10_000);
    expect([opens, rig.store.status.state, rig.log.said.length]).toEqual([3, 'open', 2]);
    expect(JSON.parse(rig.batches()[0]?.sites ?? '')).toHaveLength(1);
  });

  test('to open at first has what was counted meanwhile added to what it holds', async () => {
    const [kept] = tallyOf(decision({ timeMs: NOW - 5_000, rule: 'old' })).sites;
    let opens = 0;
    const rig = scripted(({ type }): FromKeeper[] => {
      if (type !== 'open') return [{ type: 'written' }];
      if (++opens === 1) return [{ type: 'failed', message: 'not now', isOpen: false, isSuspect: false }];
      const sites = kept === undefined ? [] : [[7, kept] as const];
      const part = { sites, rules: [['old', { ...HITS, hits: 1 }] as const], watched: [1] };
      return [
        { type: 'stored', part },
        { type: 'opened', sinceMs: NOW - 9_000, nextId: 8 },
      ];
    });
    await rig.pass(0);
    count(rig, decision({ timeMs: NOW, rule: 'new' }), decision({ hostname: 'b.example' }));
    await rig.pass(5_000);
    expect(knownBy(rig)).toMatchObject({
      sites: [
        { host: 'b.example' },
        { firstSeenMs: NOW - 5_000, lastSeenMs: NOW, lastRule: 'new', states: { NO_MATCH: 2 } },
      ],
      rules: [
        { name: 'new', hits: 1 },
        { name: 'old', hits: 1 },
      ],
      sinceMs: NOW - 9_000,
    });
    expect(JSON.parse(rig.batches()[0]?.sites ?? '').map((row: unknown[]) => row[0])).toEqual([7, 8]);
  });

  test('by damage gets everything anew', async () => {
    let writes = 0;
    const rig = scripted(({ type }): FromKeeper[] => {
      if (type === 'open') return [opened];
      if (++writes !== 2) return [{ type: 'written' }];
      return [{ type: 'set-aside', as: '/data/x.db.corrupt-1', message: 'it is damaged' }, opened];
    });
    await rig.pass(0);
    count(rig, decision({ hostname: 'a.example', rule: 'api' }));
    await rig.pass(1_000);
    count(rig, decision({ hostname: 'b.example' }));
    await rig.pass(3_000);
    const last = rig.batches().at(-1);
    expect(JSON.parse(last?.sites ?? '').map((row: unknown[]) => row[2])).toEqual(['b.example', 'a.example']);
    expect(JSON.parse(last?.rules ?? '').map((row: unknown[]) => row[0])).toEqual(['api']);
    expect(rig.log.said).toEqual([
      '/data/x.db is damaged (it is damaged): it is now /data/x.db.corrupt-1, and a new file was begun',
    ]);
  });

  test('takes batches of a thousand rows, one after the other', async () => {
    const rig = scripted(({ type }) => [type === 'open' ? opened : { type: 'written' }]);
    await rig.pass(0);
    count(rig, ...Array.from({ length: 2_500 }, (_, i) => decision({ hostname: `n${i}.example` })));
    await rig.pass(2_000);
    await rig.pass(2_000);
    const rows = rig.batches().map(({ sites }) => JSON.parse(sites).length);
    expect([Math.max(...rows), rows.reduce((a, b) => a + b)]).toEqual([1_000, 2_500]);
  });

  test('for good is waited for no longer than said, and the log says what is lost', async () => {
    const rig = scripted(({ type }) => (type === 'open' ? [opened] : []));
    await rig.pass(0);
    count(rig, decision());
    const closed = rig.store.close(3_000);
    await rig.pass(3_000);
    await rig.pass(3_000);
    await closed;
    expect(rig.log.said).toEqual(['the latest counts are not kept in /data/x.db']);
  });

  test('to answer what was kept leaves what is held here', async () => {
    const rig = scripted(({ type }) => {
      if (type === 'open') return [opened];
      return type === 'trend' ? [{ type: 'failed', message: 'gone', isOpen: false, isSuspect: false }] : [];
    });
    await rig.pass(0);
    const event: FlowEvent = decision({ timeMs: NOW });
    count(rig, event);
    const trend = rig.store.trend('minute', {}, 0);
    await rig.pass(1);
    expect(await trend).toMatchObject([{ timeMs: NOW, flows: 1, dropped: 1 }]);
  });
});
