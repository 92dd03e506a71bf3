import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CloseEvent, DecisionEvent } from '../../src/dataplane/events.ts';
import { createFoldTable } from '../../src/observe/fold-table.ts';
import { releaseLines } from '../../src/observe/line-chunks.ts';
import { Reporter } from '../../src/observe/reporter.ts';
import { bytesIn, close, decision, linesIn } from './support.ts';

const WINDOW_MS = 10_000;
const START_MS = Date.UTC(2026, 10, 21);

/** Threads that share a log, at a time that the test sets. */
function threads(count = 1, table = createFoldTable()) {
  const clock = { nowMs: START_MS };
  const settings = {
    format: 'json',
    gateway: 'gw',
    saysFlows: true,
    fold: { table, sources: createFoldTable(), windowMs: WINDOW_MS },
  } as const;
  const reporters = Array.from({ length: count }, () => new Reporter(settings, () => clock.nowMs));
  const said: Record<string, unknown>[] = [];
  let counted = 0;
  const take = (isEnd: boolean) => {
    for (const reporter of reporters) {
      const report = isEnd ? reporter.takeAll() : reporter.take();
      said.push(...linesIn(bytesIn(report.lines)).map(line => JSON.parse(line)));
      for (const chunk of report.lines) releaseLines(chunk);
      counted += report.suppressed;
    }
    return said.splice(0);
  };
  return {
    clock,
    /** One whole flow on a thread. */
    flow(rest: Partial<DecisionEvent> = {}, ending: Partial<CloseEvent> = {}, thread = 0): void {
      const reporter = reporters[thread];
      if (reporter === undefined) throw new Error(`no thread ${thread}`);
      const { srcIp, hostname, dstPort, flow, dstIp } = decision(rest);
      const saying = reporter.decided(decision({ timeMs: clock.nowMs, ...rest }));
      reporter.closed(
        close({ timeMs: clock.nowMs, srcIp, hostname, dstPort, flow, dstIp, decision: saying, ...ending }),
      );
    },
    take: () => take(false),
    end: () => take(true),
    get counted() {
      return counted;
    },
  };
}

const of = (event: string, records: readonly Record<string, unknown>[]) =>
  records.filter(record => record.event === event);

describe('identical decisions', () => {
  test('are said once, then once a window with the count of those in between', () => {
    const { flow, take, clock } = threads();
    for (let i = 0; i < 50; i++) flow({ flow: `f${i}` });
    expect(of('decision', take())).toMatchObject([{ flow: 'f0' }]);
    clock.nowMs += WINDOW_MS;
    flow({ flow: 'next' });
    const [record, ...others] = of('decision', take());
    expect(others).toEqual([]);
    expect(record).toMatchObject({ flow: 'next', suppressed: 49 });
    expect(record?.msg).toMatch(/ suppressed=49$/);
  });

  test('are said at the end of the window when no other comes, the latest for all', () => {
    const { flow, take, clock } = threads();
    for (let i = 0; i < 50; i++) flow({ flow: `f${i}` });
    take();
    clock.nowMs += WINDOW_MS;
    expect(of('decision', take())).toMatchObject([{ flow: 'f49', suppressed: 48 }]);
    clock.nowMs += WINDOW_MS;
    expect(take()).toEqual([]);
  });

  const differences: readonly [string, Partial<DecisionEvent>][] = [
    ['another source', { srcIp: '10.12.4.22' }],
    ['another name', { hostname: 'auth.docker.io' }],
    ['another port', { dstPort: 8443 }],
    ['another state', { state: 'MATCHED' }],
    ['another action', { action: 'deny' }],
    ['another reason', { reason: 'unresolvable' }],
    ['no name and another address', { hostname: null, dstIp: '192.0.2.1' }],
  ];
  test.each(differences)('%s is a first sighting, and said', (_, rest) => {
    const { flow, take } = threads();
    flow();
    flow(rest);
    expect(of('decision', take())).toHaveLength(2);
  });

  test('on two threads are said once', () => {
    const { flow, take, end } = threads(2);
    for (let i = 0; i < 10; i++) flow({ flow: `f${i}` }, {}, i % 2);
    expect(of('decision', take())).toHaveLength(1);
    expect(of('decision', end())).toMatchObject([{ suppressed: 8 }]);
  });

  test('after the clock was set back are said again', () => {
    const { flow, take, clock } = threads();
    flow();
    clock.nowMs -= 3_600_000;
    flow();
    expect(of('decision', take())).toHaveLength(2);
  });
});

describe('closes', () => {
  test('of flows that were said are said', () => {
    const { flow, take } = threads();
    flow({ flow: 'a' });
    expect(of('close', take())).toMatchObject([{ flow: 'a' }]);
  });

  test('of folded flows are folded, with the bytes of all', () => {
    const { flow, take, clock } = threads();
    for (let i = 0; i < 5; i++) flow({ flow: `f${i}` }, { bytesOut: 10, bytesIn: 100 });
    take();
    clock.nowMs += WINDOW_MS;
    expect(of('close', take())).toMatchObject([{ flow: 'f4', suppressed: 3, bytes_out: 40, bytes_in: 400 }]);
  });

  test('that ended otherwise are told apart', () => {
    const { flow, end } = threads();
    flow();
    flow({}, { end: 'server_reset' });
    flow({}, { end: 'client_fin' });
    expect(of('close', end()).map(record => record.end)).toEqual([
      'client_fin',
      'server_reset',
      'client_fin',
    ]);
  });
});

test('nothing is lost: lines and what they stand for add up to all flows and bytes', () => {
  const step = fc.record({
    source: fc.integer({ min: 1, max: 3 }),
    name: fc.constantFrom('a.example', 'b.example'),
    thread: fc.nat(2),
    waitMs: fc.constantFrom(0, 0, 0, 700, 4_000, 11_000, -5_000),
    takes: fc.boolean(),
    bytesIn: fc.nat(1_000),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), steps => {
      const log = threads(3);
      const records: Record<string, unknown>[] = [];
      for (const { source, name, thread, waitMs, takes, bytesIn } of steps) {
        log.clock.nowMs += waitMs;
        log.flow({ srcIp: `10.0.0.${source}`, hostname: name }, { bytesIn }, thread);
        if (takes) records.push(...log.take());
      }
      records.push(...log.end());
      for (const event of ['decision', 'close']) {
        const flows = of(event, records).reduce((sum, record) => sum + 1 + Number(record.suppressed ?? 0), 0);
        expect(flows).toBe(steps.length);
      }
      const bytes = of('close', records).reduce((sum, record) => sum + Number(record.bytes_in), 0);
      expect(bytes).toBe(steps.reduce((sum, { bytesIn }) => sum + bytesIn, 0));
      const suppressed = records.reduce((sum, record) => sum + Number(record.suppressed ?? 0), 0);
      expect(log.counted).toBe(suppressed);
    }),
  );
});

describe('a source that asks for ever other names', () => {
  const random = (i: number, rest: Partial<DecisionEvent> = {}) =>
    ({ action: 'deny', hostname: `n${i}.example`, dstIp: null, flow: `f${i}`, ...rest }) as const;

  /** What was said, taken as often as a thread does. */
  function flood(log: ReturnType<typeof threads>, names: number, rest: Partial<DecisionEvent> = {}) {
    const said: Record<string, unknown>[] = [];
    for (let i = 0; i < names; i++) {
      log.flow(random(i, rest), { end: 'refused' }, i % 2);
      if (i % 500 === 0) said.push(...log.take());
    }
    return [...said, ...log.take()];
  }

  test('has 500 of them said in a window; one line stands for the others, and one for their closes', () => {
    const log = threads(2);
    const during = flood(log, 100_000);
    expect([of('decision', during).length, of('close', during).length]).toEqual([500, 500]);
    log.clock.nowMs += WINDOW_MS;
    const after = log.take();
    expect(of('decision', after)).toMatchObject([
      { src_ip: '10.12.4.21', hostname: null, dst_ip: null, detail: 'several-names', suppressed: 99_499 },
    ]);
    // Each thread for its own.
    const closes = of('close', after);
    expect(closes.map(({ hostname }) => hostname)).toEqual([null, null]);
    expect(closes.reduce((sum, record) => sum + 1 + Number(record.suppressed), 0)).toBe(99_500);
    expect(log.end()).toEqual([]);
  });

  test('has one line a window as long as it goes on, and names again after', () => {
    const log = threads(2);
    flood(log, 10_000);
    for (let window = 0; window < 5; window++) {
      log.clock.nowMs += WINDOW_MS;
      const said = of('decision', flood(log, 10_000));
      expect(said.map(({ hostname, suppressed }) => [hostname, suppressed])).toEqual([
        [null, window === 0 ? 9_499 : 9_999],
      ]);
    }
    for (let window = 0; window < 2; window++) {
      log.clock.nowMs += WINDOW_MS;
      log.take();
      log.flow(random(5_000 + window));
    }
    expect(of('decision', log.take()).map(({ hostname }) => hostname)).toEqual(['n5001.example']);
  });

  test('has the line of a window said when the next one begins', () => {
    const log = threads(2);
    flood(log, 1_000);
    log.clock.nowMs += WINDOW_MS;
    log.flow(random(5_000));
    const said = of('decision', log.end());
    expect(said.map(({ hostname, suppressed = 0 }) => [hostname, suppressed])).toEqual([
      [null, 499],
      ['n5000.example', 0],
    ]);
  });

  test('takes no line, and no folding, from another source', () => {
    const log = threads(2);
    flood(log, 100_000);
    const other = { srcIp: '10.12.4.99' };
    for (let i = 0; i < 300; i++) log.flow(random(i, other));
    for (let i = 0; i < 50; i++) log.flow({ ...other, action: 'allow', state: 'MATCHED', reason: null });
    expect(of('decision', log.take())).toHaveLength(301);
  });

  test('has every allowed flow said', () => {
    const log = threads(2);
    const said = flood(log, 5_000, { action: 'allow', state: 'MATCHED', reason: null });
    expect(of('decision', said)).toHaveLength(5_000);
  });

  test('gains nothing by asking for each of them twice', () => {
    const log = threads(1);
    for (let i = 0; i < 20_000; i++) for (let j = 0; j < 2; j++) log.flow(random(i));
    const during = of('decision', log.take()).length;
    const after: Record<string, unknown>[] = [];
    for (let window = 0; window < 2; window++) {
      log.clock.nowMs += WINDOW_MS;
      after.push(...of('decision', log.take()));
    }
    expect(during).toBe(500);
    expect(after.length).toBeLessThanOrEqual(502);
    const flows = during + after.reduce((sum, record) => sum + 1 + Number(record.suppressed ?? 0), 0);
    expect(flows).toBe(40_000);
  });

  test('is one of more than there are places for: those beyond share a line', () => {
    const log = threads(1);
    let lines = 0;
    for (let i = 0; i < 60_000; i++) {
      log.flow(random(i, { srcIp: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}` }));
      if (i % 500 === 0) lines += of('decision', log.take()).length;
    }
    lines += of('decision', log.take()).length;
    expect(lines).toBeLessThan(17_000);
  });
});
