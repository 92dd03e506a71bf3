import { describe, expect, test } from 'vitest';
import type { DecisionEvent } from '../../src/dataplane/events.ts';
import {
  assessReadiness,
  READINESS_DEFAULTS,
  type Readiness,
  type ReadinessThresholds,
} from '../../src/observe/readiness.ts';
import { formatReadiness } from '../../src/observe/readiness-text.ts';
import { Sites } from '../../src/observe/sites.ts';
import { calendarOf, WatchedHours } from '../../src/observe/watched-hours.ts';
import { Cidr } from '../../src/policy/address.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { Policy } from '../../src/policy/policy.ts';
import { SourceGroups } from '../../src/policy/source-groups.ts';
import { policyOf, rule } from '../policy/reference.ts';
import { close, decision, tallyOf } from './support.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** A Sunday. */
const START = Date.UTC(2026, 10, 1);

const RULES = [
  rule('a', ['a.example']),
  rule('inside', ['inside.example'], { allowPrivate: true }),
  rule('outer', ['outer.example'], { ech: 'outer' }),
  rule('never', ['denied.example'], { action: 'deny' }),
];
const POLICY = Policy.from(compilePolicy(policyOf(RULES)));
const allowed = { state: 'MATCHED', action: 'allow', reason: null, rule: 'a' } as const;

interface Setting {
  readonly events?: readonly Partial<DecisionEvent>[];
  readonly days?: number;
  readonly nowMs?: number;
  readonly evictions?: number;
  readonly thresholds?: Partial<ReadinessThresholds>;
  readonly groups?: Readonly<Record<string, string>>;
  readonly closes?: readonly ReturnType<typeof close>[];
}

function assess({ events = [], closes = [], days = 20, groups = {}, ...rest }: Setting): Readiness {
  const sites = new Sites();
  for (const event of events) {
    const at = { timeMs: START, srcIp: '10.0.0.1', hostname: 'a.example' };
    sites.add(tallyOf(decision({ ...at, ...allowed, ...event })).sites);
  }
  sites.add(tallyOf(...closes).sites);
  const hours = new WatchedHours();
  for (let hour = 0; hour < days * 24; hour++) hours.mark(START + hour * HOUR);
  const steps = assessReadiness({
    nowMs: rest.nowMs ?? START + days * DAY,
    thresholds: { ...READINESS_DEFAULTS, ...rest.thresholds },
    rows: sites.rows(),
    evictions: rest.evictions ?? 0,
    watchedSince: timeMs => hours.since(timeMs),
    policy: POLICY,
    groups: new SourceGroups(
      Object.entries(groups).map(([name, text]) => {
        const cidr = Cidr.parse(text);
        return { name, cidrs: cidr === null ? [] : [cidr] };
      }),
    ),
    rules: [
      { name: 'a', action: 'allow', place: 'p:1', sinceMs: START, hits: 1, firstMs: 1, lastMs: 1 },
      { name: 'never', action: 'deny', place: 'p:2', sinceMs: START, hits: 0, firstMs: null, lastMs: null },
    ],
    sinceMs: START,
  });
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

describe('a source that was watched long enough and does what is allowed', () => {
  test('is ready', () => {
    const readiness = assess({ events: [{}] });
    expect(readiness).toMatchObject({ verdict: 'ready', reasons: [] });
    expect(readiness.sources).toEqual([
      {
        source: '(other)',
        verdict: 'ready',
        reasons: [],
        addresses: 1,
        sites: 1,
        flows: 1,
        firstSeenMs: START,
        lastSeenMs: START,
        daysWatched: 20,
        hasWeekend: true,
        hasMonthEnd: false,
        hoursSinceNewSite: 480,
        drops: { flows: 0, sites: 0, top: [] },
        ech: 0,
        mismatches: 0,
      },
    ]);
  });

  test('names rules that were never hit, which is no reason', () => {
    expect(assess({ events: [{}] }).rulesNeverHit).toEqual({ count: 1, names: ['never'] });
  });
});

describe('a source is not ready', () => {
  const cases: readonly [string, Setting, string][] = [
    ['before it was watched for so long', { events: [{}], days: 13 }, 'watched for 13.0 days of 14'],
    [
      'when it was first seen late, however long others were watched',
      { events: [{ timeMs: START + 10 * DAY }] },
      'watched for 10.0 days of 14',
    ],
    [
      'without a weekend',
      { events: [{ timeMs: START + DAY }], days: 5, thresholds: { minDays: 1 } },
      'no weekend was watched',
    ],
    [
      'without a month end, where that is asked for',
      { events: [{}], thresholds: { calendar: 'month-end' } },
      'no month end was watched',
    ],
    [
      'while new sites come up',
      { events: [{}, { timeMs: START + 20 * DAY - 3 * HOUR, hostname: 'outer.example' }] },
      'a new site was seen 3.0 hours ago (quiet: 24)',
    ],
    [
      'when enforce would drop flows',
      { events: [{}, { hostname: 'stranger.example' }, { hostname: 'stranger.example' }] },
      'enforce would drop 2 flows to 1 sites',
    ],
    [
      'when enforce would drop more than is accepted',
      { events: [{ hostname: 'x.example' }, { hostname: 'y.example' }], thresholds: { maxDrops: 1 } },
      'enforce would drop 2 flows to 2 sites, more than 1',
    ],
  ];
  test.each(cases)('%s', (_, setting, reason) => {
    const readiness = assess(setting);
    expect(readiness.verdict).toBe('not ready');
    expect(readiness.sources.map(({ verdict, reasons }) => [verdict, reasons])).toEqual([
      ['not ready', [reason]],
    ]);
  });
});

test('other thresholds make it ready', () => {
  const lax = { minDays: 1, quietHours: 0, maxDrops: 5, calendar: 'none' } as const;
  const events = [{ timeMs: START + DAY }, { timeMs: START + 2 * DAY, hostname: 'stranger.example' }];
  expect(assess({ events, days: 2 }).verdict).toBe('not ready');
  expect(assess({ events, days: 2, thresholds: lax }).verdict).toBe('ready');
});

test('a month end is seen when it is there', () => {
  expect(assess({ events: [{}], days: 31, thresholds: { calendar: 'month-end' } }).verdict).toBe('ready');
});

describe('what enforce would drop', () => {
  const watched = { action: 'would-deny', state: 'DENIED', rule: null } as const;
  const cases: readonly [string, Partial<DecisionEvent>, string | null][] = [
    ['an allowed name', {}, null],
    ['a name of no rule', { hostname: 'stranger.example' }, 'not_allowed'],
    ['a name that a deny rule has', { hostname: 'denied.example' }, 'rule_denied'],
    ['an allowed name at another port', { dstPort: 8443 }, 'not_allowed'],
    ['no name', { hostname: null, dstIp: '198.51.100.1' }, 'no_hostname'],
    ['a name that was in no rule then and is now', { ...watched, reason: 'not_allowed' }, null],
    ['a name that was in a rule then and is in none now', { hostname: 'gone.example' }, 'not_allowed'],
    ['ECH', { ...watched, ech: true, reason: 'ech' }, 'ech'],
    ['ECH that was let pass then', { ech: true }, 'ech'],
    ['ECH that is let pass now', { ...watched, hostname: 'outer.example', ech: true, reason: 'ech' }, null],
    ['a private address', { ...watched, reason: 'destination_forbidden' }, 'destination_forbidden'],
    [
      'a private address that is allowed now',
      { ...watched, hostname: 'inside.example', reason: 'destination_forbidden' },
      null,
    ],
    ['an address no mode dials', { ...watched, action: 'deny', reason: 'destination_forbidden' }, null],
    ['another name in the hello', { ...watched, reason: 'name_mismatch' }, 'name_mismatch'],
    ['a hello without a name behind a CONNECT', { ...watched, reason: 'no_hostname' }, 'no_hostname'],
    ['what is no TLS', { ...watched, reason: 'not_tls' }, 'not_tls'],
    ['a name that does not resolve', { ...watched, action: 'deny', reason: 'unresolvable' }, null],
    [
      'a client that left before it named a host',
      { ...watched, action: 'deny', hostname: null, dstIp: '198.51.100.1', reason: 'client_closed' },
      null,
    ],
    ['a limit that was reached', { ...watched, action: 'deny', reason: 'flow_limit' }, null],
  ];
  test.each(cases)('%s', (_, event, reason) => {
    const [source] = assess({ events: [event] }).sources;
    expect(source?.drops.top.map(({ flows, reason }) => [flows, reason])).toEqual(
      reason === null ? [] : [[1, reason]],
    );
  });

  test('a later hello with another name', () => {
    const closes = [close({ srcIp: '10.0.0.1', hostname: 'a.example', reason: 'name_mismatch' })];
    const [source] = assess({ events: [{}, {}], closes }).sources;
    expect([source?.drops.flows, source?.mismatches]).toEqual([1, 1]);
  });

  test('is listed by site, the most flows first, and no more than twenty', () => {
    const events = Array.from({ length: 30 }, (_, site) =>
      Array.from({ length: site + 1 }, () => ({ hostname: `s${site}.example` })),
    ).flat();
    const [source] = assess({ events }).sources;
    expect(source?.drops).toMatchObject({ flows: (30 * 31) / 2, sites: 30 });
    expect(source?.drops.top.map(({ flows }) => flows)).toEqual(Array.from({ length: 20 }, (_, i) => 30 - i));
  });
});

describe('source groups', () => {
  const groups = { build: '10.1.0.0/16', quiet: '10.2.0.0/16', one: '10.1.0.1' };
  const readiness = assess({
    events: [
      { srcIp: '10.1.0.1' },
      { srcIp: '10.1.0.2', hostname: 'stranger.example' },
      { srcIp: '192.0.2.1' },
      { srcIp: 'fd00::1' },
    ],
    groups,
  });

  test('are told apart, sources in none are together, a source in two counts in both', () => {
    expect(
      readiness.sources.map(({ source, verdict, addresses, flows }) => [source, verdict, addresses, flows]),
    ).toEqual([
      ['build', 'not ready', 2, 2],
      ['quiet', 'no traffic', 0, 0],
      ['one', 'ready', 1, 1],
      ['(other)', 'ready', 2, 2],
    ]);
  });

  test('one that is not ready makes the whole not ready', () => {
    expect(readiness.verdict).toBe('not ready');
  });

  test('without traffic hold up nothing', () => {
    expect(assess({ events: [{ srcIp: '10.1.0.1' }], groups }).verdict).toBe('ready');
  });
});

test('without any traffic nothing can be said', () => {
  expect(assess({ groups: { build: '10.1.0.0/16' } }).verdict).toBe('no traffic');
});

test('sites that were forgotten for want of room are a reason', () => {
  const { verdict, reasons } = assess({ events: [{}], evictions: 3 });
  expect([verdict, reasons]).toEqual([
    'not ready',
    ['the table of sites was full: 3 entries were forgotten (raise sites.maxSites)'],
  ]);
});

test('a clock that was set back makes no negative times', () => {
  expect(assess({ events: [{}], nowMs: START - DAY }).sources[0]?.hoursSinceNewSite).toBe(0);
});

describe('the text', () => {
  test('shows the verdict, the sources, what is dropped and rules never hit', () => {
    const readiness = assess({
      events: [
        {},
        { hostname: 'stranger.example' },
        { srcIp: '10.1.0.1', ech: true, hostname: 'outer.example' },
      ],
      groups: { build: '10.1.0.0/16', quiet: '10.2.0.0/16' },
    });
    expect(formatReadiness(readiness).split('\n')).toEqual([
      'not ready: counted since 2026-11-01T00:00:00.000Z; asked for 14 days with a weekend inside, 24 hours without a new site, at most 0 flows dropped',
      '',
      'build: ready',
      '  1 flows from 1 addresses to 1 sites in 20.0 days; no new site for 480.0 hours',
      '  1 flows with ECH, 0 with a mismatch',
      '',
      'quiet: no traffic',
      '',
      '(other): not ready',
      '  2 flows from 1 addresses to 2 sites in 20.0 days; no new site for 480.0 hours',
      '  - enforce would drop 1 flows to 1 sites',
      '      stranger.example:443  1 flows  not_allowed  last 2026-11-01T00:00:00.000Z',
      '',
      'rules never hit: 1 (never)',
      '',
    ]);
  });
});

describe('the calendar of watched hours', () => {
  const hoursOf = (fromMs: number, count: number) =>
    Array.from({ length: count }, (_, i) => fromMs / HOUR + i);
  const saturday = Date.UTC(2026, 10, 7);
  test.each<[string, number[], boolean, boolean]>([
    ['a weekend', hoursOf(saturday, 48), true, false],
    ['half of each of its days', [...hoursOf(saturday, 12), ...hoursOf(saturday + DAY, 12)], true, false],
    ['a Saturday only', hoursOf(saturday, 24), false, false],
    ['less than half of the Sunday', hoursOf(saturday, 35), false, false],
    ['a month end', hoursOf(Date.UTC(2026, 10, 30), 48), false, true],
    ['the end of a year', hoursOf(Date.UTC(2026, 11, 31), 48), false, true],
    ['the end of February', hoursOf(Date.UTC(2028, 1, 29), 48), false, true],
    ['nothing', [], false, false],
  ])('%s', (_, hours, hasWeekend, hasMonthEnd) => {
    expect(calendarOf(hours)).toEqual({ days: hours.length / 24, hasWeekend, hasMonthEnd });
  });

  test('time in which nobody watched is not counted', () => {
    const hours = new WatchedHours();
    for (const hour of [0, 1, 1, 50, 49]) hours.mark(START + hour * HOUR);
    expect(hours.since(START + HOUR).map(hour => hour - START / HOUR)).toEqual([1, 49, 50]);
  });

  test('hours of long ago are forgotten', () => {
    const hours = new WatchedHours();
    for (let day = 0; day < 400; day++) hours.mark(START + day * DAY);
    expect(hours.since(0)).toHaveLength(90);
  });
});
