import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DIAL_BUCKETS, FLOW_BUCKETS, SNIFF_BUCKETS } from '../../src/observe/buckets.ts';
import { FlowTally, PROTOCOL_BITS, type SiteCount, type Tally } from '../../src/observe/flow-tally.ts';
import { close, decision, type FlowEvent, tallyOf } from './support.ts';

const timeMs = fc.integer({ min: 0, max: 1_000 });
const durationMs = fc.oneof(
  fc.integer({ min: 0, max: 100_000_000 }),
  fc.constantFrom(0.5, 1, 10, 86_400_000),
);
const identity = {
  srcIp: fc.constantFrom('10.0.0.1', '10.0.0.2'),
  listener: fc.constantFrom('gw', 'gw tls', 'tls'),
  hostname: fc.constantFrom('a.example', 'b.example', null),
  dstIp: fc.constantFrom('192.0.2.1', '192.0.2.2', null),
  dstPort: fc.constantFrom(80, 443),
  protocol: fc.constantFrom('tls' as const, 'http' as const, 'tcp' as const),
  timeMs,
};
const decisions = fc
  .record({
    ...identity,
    state: fc.constantFrom('MATCHED' as const, 'NO_MATCH' as const, 'DENIED' as const),
    action: fc.constantFrom('allow' as const, 'deny' as const, 'would-deny' as const),
    reason: fc.constantFrom('not_allowed' as const, 'rule_denied' as const, null),
    rule: fc.constantFrom('api', 'registries', null),
    ech: fc.boolean(),
    sniffMs: durationMs,
  })
  .map(decision);
const closes = fc
  .record({
    ...identity,
    bytesOut: fc.constantFrom(0, 1, 1_000),
    bytesIn: fc.constantFrom(0, 7),
    reason: fc.constantFrom('name_mismatch' as const, null),
    durationMs,
    dialMs: fc.option(durationMs),
    dialFailure: fc.constantFrom('refused' as const, 'timeout' as const, null),
  })
  .map(close);

/** The same sums, made the slow way. */
function naive(events: readonly FlowEvent[]): Tally {
  const decided = events.filter(event => 'state' in event);
  const closed = events.filter(event => 'end' in event);
  return {
    decisions: groups(decided, ({ listener, protocol, action, reason }) =>
      JSON.stringify([listener, protocol, action, reason]),
    ).map(([{ listener, protocol, action, reason }, ...more]) => ({
      listener,
      protocol,
      action,
      reason,
      flows: 1 + more.length,
    })),
    rules: groups(decided, ({ rule }) => rule).map(alike => ({
      rule: alike[0].rule ?? '',
      hits: alike.length,
      firstMs: alike[0].timeMs,
      lastMs: alike.at(-1)?.timeMs ?? -1,
    })),
    sites: groups(
      events.filter(event => 'state' in event || event.bytesOut + event.bytesIn > 0 || event.reason !== null),
      ({ srcIp, hostname, dstIp, dstPort }) =>
        hostname === null && dstIp === null ? null : JSON.stringify([srcIp, hostname ?? dstIp, dstPort]),
    ).map(naiveSite),
    dialFailures: closed.flatMap(({ dialFailure }) => dialFailure ?? []),
    sniffSeconds: buckets(
      SNIFF_BUCKETS,
      decided.map(({ sniffMs }) => sniffMs),
    ),
    dialSeconds: buckets(
      DIAL_BUCKETS,
      closed.flatMap(({ dialMs }) => dialMs ?? []),
    ),
    flowSeconds: buckets(
      FLOW_BUCKETS,
      closed.map(event => event.durationMs),
    ),
  };
}

function naiveSite(events: readonly [FlowEvent, ...FlowEvent[]]): SiteCount {
  const [first] = events;
  const decided = events.filter(event => 'state' in event);
  const closed = events.filter(event => 'end' in event);
  const states = (state: string) => decided.filter(event => event.state === state).length;
  const actions = (action: string) => decided.filter(event => event.action === action).length;
  const reasons = decided.flatMap(({ reason }) => reason ?? []);
  const protocols = new Set(decided.map(({ protocol }) => PROTOCOL_BITS[protocol]));
  return {
    source: first.srcIp,
    host: first.hostname ?? first.dstIp ?? '',
    port: first.dstPort,
    firstSeenMs: first.timeMs,
    lastSeenMs: decided.at(-1)?.timeMs ?? first.timeMs,
    states: { MATCHED: states('MATCHED'), NO_MATCH: states('NO_MATCH'), DENIED: states('DENIED') },
    actions: { allow: actions('allow'), deny: actions('deny'), 'would-deny': actions('would-deny') },
    reasons: Object.fromEntries(
      [...new Set(reasons)].map(reason => [reason, reasons.filter(other => other === reason).length]),
    ),
    ech: decided.filter(({ ech }) => ech).length,
    switched: closed.filter(({ reason }) => reason !== null).length,
    protocols: [...protocols].reduce((sum, bit) => sum + bit, 0),
    lastRule: decided.at(-1)?.rule,
    bytesOut: closed.reduce((sum, { bytesOut }) => sum + bytesOut, 0),
    bytesIn: closed.reduce((sum, { bytesIn }) => sum + bytesIn, 0),
  };
}

/** Events that share a key, in the order of their first; those whose key is null are left out. */
function groups<E>(events: readonly E[], keyOf: (event: E) => string | null): [E, ...E[]][] {
  const byKey = new Map<string, [E, ...E[]]>();
  for (const event of events) {
    const key = keyOf(event);
    if (key === null) continue;
    const group = byKey.get(key);
    if (group === undefined) byKey.set(key, [event]);
    else group.push(event);
  }
  return [...byKey.values()];
}

function buckets(bounds: readonly number[], valuesMs: readonly number[]) {
  const seconds = valuesMs.map(ms => ms / 1_000);
  const edges = [Number.NEGATIVE_INFINITY, ...bounds, Number.POSITIVE_INFINITY];
  const counts = edges
    .slice(1)
    .map((edge, i) => seconds.filter(value => value <= edge && value > (edges[i] ?? edge)).length);
  return { counts, sum: seconds.reduce((sum, value) => sum + value, 0) };
}

describe('a tally', () => {
  test('equals a naive count of what happened since the last one', () => {
    const intervals = fc.array(fc.array(fc.oneof(decisions, closes), { maxLength: 40 }), { maxLength: 4 });
    fc.assert(
      fc.property(intervals, events => {
        const tally = new FlowTally();
        for (const interval of events) {
          for (const event of interval) {
            if ('end' in event) tally.closed(event);
            else tally.decided(event);
          }
          expect(tally.take()).toEqual(naive(interval));
        }
      }),
    );
  });

  test('is of no more entries than differ, however many flows there were', () => {
    const tally = new FlowTally();
    for (let i = 0; i < 10_000; i++) tally.decided(decision({ flow: `f${i}`, srcPort: i, rule: 'api' }));
    const { decisions: alike, rules, sites } = tally.take();
    expect([alike.length, rules.length, sites.length]).toEqual([1, 1, 1]);
    expect([alike[0]?.flows, rules[0]?.hits, sites[0]?.states.NO_MATCH]).toEqual([10_000, 10_000, 10_000]);
  });

  test('keeps a site apart for each source, host and port, however they are mixed', () => {
    const tally = new FlowTally();
    const ways = [10, 11].flatMap(ip =>
      ['a', 'b'].flatMap(host => [443, 8443].map(port => ({ ip, host, port }))),
    );
    for (const { ip, host, port } of [...ways, ...ways])
      tally.decided(decision({ srcIp: `10.0.0.${ip}`, hostname: `${host}.example`, dstPort: port }));
    const { sites } = tally.take();
    expect(sites.map(({ source, host, port, states }) => [source, host, port, states.NO_MATCH])).toEqual(
      ways.map(({ ip, host, port }) => [`10.0.0.${ip}`, `${host}.example`, port, 2]),
    );
  });

  test('makes no site of a flow that moved no bytes', () => {
    expect(tallyOf(close({ bytesOut: 0, bytesIn: 0 })).sites).toEqual([]);
  });

  test('tells a site that no rule decided from one that was not decided', () => {
    const { sites } = tallyOf(decision({ hostname: 'a.example' }), close({ hostname: 'b.example' }));
    expect(sites.map(({ host, lastRule }) => [host, lastRule])).toEqual([
      ['a.example', null],
      ['b.example', undefined],
    ]);
  });
});
