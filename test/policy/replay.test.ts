import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Cidr, IpAddress } from '../../src/policy/address.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { Policy } from '../../src/policy/policy.ts';
import { Replay } from '../../src/policy/replay.ts';
import type { GuardWord } from '../../src/policy/replay-judge.ts';
import type { ParsedPolicy, SourceGroup, SourceItem } from '../../src/policy/rules.ts';
import type { SeenFlow } from '../../src/policy/seen-flow.ts';
import { seen } from '../flow-log/support.ts';
import { policyOf, referenceDecide, rule } from './reference.ts';

const NOW = Date.UTC(2026, 10, 21);
const BUILD: SourceGroup = {
  name: 'build',
  cidrs: [cidr('10.12.4.0/24')],
  vpcEndpoints: ['vpce-0a'],
  mode: null,
  location: { file: 'policy.yaml', line: 3, col: 3 },
};
const POLICY = policyOf(
  [
    rule('api', ['api.example', '*.cdn.example']),
    rule('inner', ['inner.example'], { from: [{ ...BUILD, text: 'build' }] }),
    rule('private', ['private.example'], { allowPrivate: true }),
    rule('old', ['old.example'], { untilMs: NOW - 1_000 }),
    rule('outer', ['outer.example'], { ech: 'outer' }),
    rule('never', ['**.paste.example', 'paste.example'], { action: 'deny' }),
  ],
  { sources: [BUILD] },
);
const ALLOWED = seen({ state: 'MATCHED', action: 'allow', reason: null, rule: 'before' });

function replay(flows: readonly SeenFlow[], parsed: ParsedPolicy = POLICY, atMs: number | null = null) {
  const guard = (address: IpAddress): GuardWord => (cidr('10.0.0.0/8').contains(address) ? 'private' : 'ok');
  const past = new Replay({ parsed, policy: Policy.from(compilePolicy(parsed)), atMs, nowMs: NOW, guard });
  for (const flow of flows) past.add(flow);
  return past.report();
}

describe('a flow that was allowed', () => {
  test.each<[string, Partial<SeenFlow>, string | null]>([
    ['and still is', { hostname: 'api.example' }, null],
    ['by another rule', { hostname: 'x.cdn.example' }, null],
    ['in capitals', { hostname: 'API.Example' }, null],
    ['and no rule allows now', { hostname: 'gone.example' }, 'NO_MATCH not_allowed'],
    ['on a port that no rule allows', { hostname: 'api.example', port: 8443 }, 'NO_MATCH not_allowed'],
    ['and a rule denies now', { hostname: 'a.paste.example' }, 'DENIED rule_denied'],
    ['from a source of the group', { hostname: 'inner.example', source: '10.12.4.9' }, null],
    [
      'through a VPC endpoint of the group',
      { hostname: 'inner.example', source: '10.12.5.9', vpcEndpoint: 'vpce-0a' },
      null,
    ],
    [
      'through another VPC endpoint',
      { hostname: 'inner.example', source: '10.12.5.9', vpcEndpoint: 'vpce-0b' },
      'NO_MATCH not_allowed',
    ],
    ['from another source', { hostname: 'inner.example', source: '10.12.5.9' }, 'NO_MATCH not_allowed'],
    ['by a rule that has ended since', { hostname: 'old.example', timeMs: NOW - 2_000 }, null],
    ['when the rule had ended', { hostname: 'old.example', timeMs: NOW - 500 }, 'NO_MATCH not_allowed'],
    ['at a time nobody noted', { hostname: 'old.example', timeMs: null }, 'NO_MATCH not_allowed'],
    ['with ECH, which the policy denies', { hostname: 'api.example', ech: true }, 'DENIED ech'],
    ['with ECH, which the rule lets through', { hostname: 'outer.example', ech: true }, null],
    [
      'at a private address, by a rule for that',
      { hostname: 'private.example', destination: '10.1.1.1' },
      null,
    ],
    [
      'at a private address, by a rule not for that',
      { hostname: 'api.example', destination: '10.1.1.1' },
      'DENIED destination_forbidden',
    ],
    [
      'in a log that does not say what was done',
      { hostname: 'gone.example', action: null },
      'NO_MATCH not_allowed',
    ],
  ])('%s', (_, flow, verdict) => {
    const report = replay([{ ...ALLOWED, ...flow }]);
    expect(report.changes.map(({ kind, verdict: now }) => `${kind} ${now.state} ${now.reason}`)).toEqual(
      verdict === null ? [] : [`lost ${verdict}`],
    );
    expect([report.flows, report.lost, report.unchanged]).toEqual(verdict === null ? [1, 0, 1] : [1, 1, 0]);
    expect(report.enforceWouldDrop.flows).toBe(report.lost);
  });
});

describe('a flow that was not allowed', () => {
  test.each<[string, Partial<SeenFlow>, string | null]>([
    ['and still is not', { hostname: 'gone.example' }, null],
    ['and a rule allows now', { hostname: 'api.example' }, 'gained MATCHED'],
    ['and a rule denies now', { hostname: 'paste.example' }, 'other DENIED'],
    [
      'that a rule denied, and none does',
      { hostname: 'api.example', state: 'DENIED', reason: 'rule_denied', rule: 'x' },
      'gained MATCHED',
    ],
    [
      'that a rule denied, and none allows',
      { hostname: 'x.example', state: 'DENIED', reason: 'rule_denied' },
      'other NO_MATCH',
    ],
    ['for ECH', { hostname: 'api.example', state: 'DENIED', reason: 'ech' }, null],
    [
      'for ECH, which the rule lets through',
      { hostname: 'outer.example', state: 'DENIED', reason: 'ech' },
      'gained MATCHED',
    ],
    [
      'for its malformed inner hello',
      { hostname: 'api.example', state: 'DENIED', reason: 'malformed_hello' },
      null,
    ],
    ['for a limit', { hostname: null, state: 'DENIED', reason: 'source_limit' }, null],
    ['for a name that is still missing', { hostname: null, reason: 'no_hostname' }, null],
    [
      'for its private address, and still would be',
      { hostname: 'api.example', destination: '10.1.1.1', state: 'DENIED', reason: 'destination_forbidden' },
      null,
    ],
    [
      'for its private address, which the rule allows',
      {
        hostname: 'private.example',
        destination: '10.1.1.1',
        state: 'DENIED',
        reason: 'destination_forbidden',
      },
      'gained MATCHED',
    ],
    [
      'for an address that the log does not name',
      { hostname: 'private.example', destination: null, state: 'DENIED', reason: 'destination_forbidden' },
      null,
    ],
    [
      'and went to a private address, which the new rule does not allow',
      { hostname: 'api.example', destination: '10.1.1.1' },
      'other DENIED',
    ],
    [
      'because it did not resolve',
      { hostname: 'api.example', state: 'MATCHED', action: 'deny', reason: 'unresolvable' },
      null,
    ],
    [
      'because it did not resolve, and no rule allows now',
      { hostname: 'gone.example', state: 'MATCHED', action: null, reason: 'unresolvable' },
      'other NO_MATCH',
    ],
  ])('%s', (_, flow, change) => {
    const report = replay([seen(flow)]);
    expect(report.changes.map(({ kind, verdict }) => `${kind} ${verdict.state}`)).toEqual(
      change === null ? [] : [change],
    );
    expect(report.lost).toBe(0);
  });
});

test('flows alike are one group, with its counts and sources', () => {
  const flow = { ...ALLOWED, hostname: 'gone.example' };
  const { changes, enforceWouldDrop, lost, flows } = replay([
    { ...flow, source: '10.12.9.1', timeMs: 5_000 },
    { ...flow, source: '10.12.9.2', timeMs: 2_000, flows: 10 },
    { ...flow, source: '10.12.9.1', timeMs: 9_000 },
    { ...flow, source: '10.12.4.7', timeMs: null },
    { ...flow, port: 8443 },
  ]);
  expect([flows, lost]).toEqual([14, 14]);
  expect(
    changes.map(({ groups, port, flows, sources, someSources }) => [
      groups,
      port,
      flows,
      sources,
      someSources,
    ]),
  ).toEqual([
    [[], 443, 12, 2, ['10.12.9.1', '10.12.9.2']],
    [['build'], 443, 1, 1, ['10.12.4.7']],
    [['build'], 8443, 1, 1, ['10.12.4.21']],
  ]);
  expect(changes[0]).toMatchObject({ firstSeenMs: 2_000, lastSeenMs: 9_000 });
  expect(changes[0]?.before).toEqual({ state: 'MATCHED', reason: null, rule: 'before' });
  expect(enforceWouldDrop.groups.map(({ port, flows }) => [port, flows])).toEqual([
    [443, 12],
    [443, 1],
    [8443, 1],
  ]);
});

test('what enforce would drop is listed whether it changes or not', () => {
  const { changes, enforceWouldDrop } = replay([
    seen({ hostname: 'gone.example' }),
    seen({ hostname: null, reason: 'no_hostname', destination: '192.0.2.1' }),
    seen({ hostname: 'api.example' }),
  ]);
  expect(changes.map(({ kind }) => kind)).toEqual(['gained']);
  expect(enforceWouldDrop.groups.map(({ hostname, destination }) => [hostname, destination])).toEqual([
    ['gone.example', null],
    [null, '192.0.2.1'],
  ]);
});

test('one moment for all takes the place of their own times', () => {
  const flow = { ...ALLOWED, hostname: 'old.example' };
  expect(replay([{ ...flow, timeMs: NOW - 2_000 }], POLICY, NOW).lost).toBe(1);
  expect(replay([{ ...flow, timeMs: NOW }], POLICY, NOW - 2_000).lost).toBe(0);
});

test('what is no hostname or address is counted, and not judged', () => {
  const report = replay([
    { ...ALLOWED, hostname: 'no\u001b[2Jname' },
    { ...ALLOWED, hostname: '10.0.0.1' },
    { ...ALLOWED, source: 'nobody' },
  ]);
  expect(report).toMatchObject({
    flows: 3,
    unchanged: 0,
    lost: 0,
    notJudged: { hostname: 2, source: 1 },
    changes: [],
  });
});

test('more groups than a person can read are counted, and not kept', () => {
  const flows = Array.from({ length: 20_010 }, (_, i) => ({ ...ALLOWED, hostname: `h${i}.example` }));
  const report = replay(flows);
  expect([report.lost, report.changes.length, report.notListed]).toEqual([20_010, 20_000, 20]);
});

test('kept decisions are the ones that the plain reading of the rules makes, flow by flow', () => {
  const blocks = ['10.0.0.0/8', '10.1.0.0/16', '10.1.2.0/24', '10.1.2.3'].map(cidr);
  const from = fc
    .subarray(blocks, { maxLength: 2 })
    .map(cidrs =>
      cidrs.map((block): SourceItem => ({ text: `${block.first}/${block.prefix}`, cidrs: [block] })),
    );
  const rules = fc
    .array(
      fc.record({
        host: fc.constantFrom('a.example', '*.example', '**.example', 'b*.example'),
        action: fc.constantFrom('allow', 'allow', 'deny'),
        ports: fc.constantFrom([443], [443, 8443]),
        from,
        untilMs: fc.option(fc.constantFrom(1_000, 2_000, 3_000)),
      }),
      { maxLength: 6 },
    )
    .map(list => list.map(({ host, ...rest }, i) => rule(`r${i}`, [host], rest)));
  const flows = fc.array(
    fc.record({
      hostname: fc.constantFrom('a.example', 'b.example', 'bb.example', 'x.b.example', 'c.test'),
      source: fc.constantFrom('10.1.2.3', '10.1.2.4', '10.1.3.3', '10.2.2.3', '11.1.2.3', '2001:db8::1'),
      port: fc.constantFrom(443, 8443),
      timeMs: fc.constantFrom(0, 999, 1_000, 2_500, 3_000),
      state: fc.constantFrom('MATCHED', 'NO_MATCH', 'DENIED'),
    }),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(rules, flows, (list, past) => {
      const parsed = policyOf(list);
      const expected = { lost: 0, gained: 0, other: 0, dropped: 0 };
      const records = past.map(flow =>
        seen({ ...ALLOWED, ...flow, reason: flow.state === 'MATCHED' ? null : 'not_allowed' }),
      );
      for (const { hostname, port, source, timeMs, state } of past) {
        const address = IpAddress.parse(source);
        if (address === null) throw new Error(source);
        const now = referenceDecide(parsed, hostname, port, address, timeMs).state;
        if (now !== 'MATCHED') expected.dropped++;
        if (now === state) continue;
        expected[state === 'MATCHED' ? 'lost' : now === 'MATCHED' ? 'gained' : 'other']++;
      }
      const { lost, gained, changedOtherwise, enforceWouldDrop } = replay(records, parsed);
      expect({ lost, gained, other: changedOtherwise, dropped: enforceWouldDrop.flows }).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});

function cidr(text: string): Cidr {
  const parsed = Cidr.parse(text);
  if (parsed === null) throw new Error(text);
  return parsed;
}
