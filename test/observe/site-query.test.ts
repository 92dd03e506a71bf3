import { describe, expect, test } from 'vitest';
import { listSites, listSourceSites, type SiteFilter } from '../../src/observe/site-query.ts';
import { Sites } from '../../src/observe/sites.ts';
import { Cidr } from '../../src/policy/address.ts';
import { BlockSet, SourceGroups } from '../../src/policy/source-groups.ts';
import { decision, tallyOf } from './support.ts';

const blocks = (...texts: readonly string[]) =>
  texts.map(text => Cidr.parse(text)).filter(cidr => cidr !== null);
const group = (name: string, ...texts: readonly string[]) => ({ name, cidrs: blocks(...texts) });

const allowed = { state: 'MATCHED', action: 'allow', reason: null, rule: 'api' } as const;
const table = new Sites();
for (const event of [
  decision({ timeMs: 100, srcIp: '10.0.0.1', hostname: 'a.example' }),
  decision({ timeMs: 200, srcIp: '10.0.0.2', hostname: 'b.example', ech: true, ...allowed }),
  decision({ timeMs: 300, srcIp: '10.0.0.2', hostname: 'a.example', protocol: 'connect', ...allowed }),
  decision({ timeMs: 400, srcIp: 'fd00::1', hostname: 'c.example', action: 'deny', reason: 'name_mismatch' }),
  decision({ timeMs: 500, srcIp: '10.0.0.1', hostname: 'b.example', ...allowed, rule: 'later' }),
]) {
  table.add(tallyOf(event).sites);
}
const rows = table.rows();

test('a site sums up all its sources', () => {
  expect(listSites(rows, {})[0]).toEqual({
    host: 'a.example',
    protocol: 'tcp',
    port: 443,
    firstSeenMs: 100,
    lastSeenMs: 300,
    flows: 2,
    states: { MATCHED: 1, NO_MATCH: 1, DENIED: 0 },
    actions: { allow: 1, deny: 0, 'would-deny': 1 },
    reasons: { not_allowed: 1 },
    ech: 0,
    mismatches: 0,
    spoke: ['tls', 'connect'],
    lastRule: 'api',
    bytesOut: 0,
    bytesIn: 0,
    sources: 2,
  });
});

test('the last rule is that of the flow seen last, in whatever order the sources came', () => {
  expect(listSites(rows, {}).map(({ host, lastRule }) => [host, lastRule])).toEqual([
    ['a.example', 'api'],
    ['b.example', 'later'],
    ['c.example', null],
  ]);
});

test('by source, each has its own counts and its groups', () => {
  const groups = new SourceGroups([group('build', '10.0.0.0/30'), group('one', '10.0.0.1')]);
  expect(
    listSourceSites(rows, {}, groups).map(({ source, groups, host, flows, lastSeenMs }) => [
      source,
      groups,
      host,
      flows,
      lastSeenMs,
    ]),
  ).toEqual([
    ['10.0.0.1', ['build', 'one'], 'a.example', 1, 100],
    ['10.0.0.2', ['build'], 'b.example', 1, 200],
    ['10.0.0.2', ['build'], 'a.example', 1, 300],
    ['fd00::1', [], 'c.example', 1, 400],
    ['10.0.0.1', ['build', 'one'], 'b.example', 1, 500],
  ]);
});

describe('a filter', () => {
  const from = (...texts: readonly string[]) => ({ sources: new BlockSet(blocks(...texts)) });
  const cases: readonly [string, SiteFilter, readonly string[]][] = [
    ['seen since', { sinceMs: 400 }, ['b', 'c']],
    ['new since', { newSinceMs: 200 }, ['b', 'c']],
    ['from an address', from('10.0.0.1'), ['a', 'b']],
    ['from a block', from('10.0.0.2/31'), ['b', 'a']],
    ['from IPv6', from('fd00::/8'), ['c']],
    ['from everywhere IPv6, which is not IPv4', from('::/0'), ['c']],
    ['from nowhere', from('192.0.2.0/24'), []],
    ['allowed', { verdict: 'allow' }, ['a', 'b']],
    ['denied', { verdict: 'deny' }, ['c']],
    ['that would be denied', { verdict: 'would-deny' }, ['a']],
    ['with ECH', { verdict: 'ech' }, ['b']],
    ['with a mismatch', { verdict: 'mismatch' }, ['c']],
    ['new from one source, though known from another', { ...from('10.0.0.2'), newSinceMs: 250 }, ['a']],
    ['that fits several at once', { sinceMs: 400, verdict: 'allow' }, ['b']],
  ];
  test.each(cases)('lists sites %s', (_, filter, expected) => {
    expect(listSites(rows, filter).map(({ host }) => host.charAt(0))).toEqual(expected);
  });
});

test('a list is a copy', () => {
  const sites = new Sites();
  sites.add(tallyOf(decision()).sites);
  const [before] = listSites(sites.rows(), {});
  sites.add(tallyOf(decision()).sites);
  expect([before?.states.NO_MATCH, before?.reasons.not_allowed, before?.flows]).toEqual([1, 1, 1]);
});
