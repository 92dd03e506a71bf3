import { expect, test } from 'vitest';
import { flowsOfSite } from '../../src/flow-log/site-flows.ts';
import type { SourceSite } from '../../src/observe/site-query.ts';
import { SOURCE_SITES } from '../admin/support.ts';

test.each<[string, Partial<SourceSite>, string[]]>([
  [
    'each verdict is so many flows',
    { states: { MATCHED: 1, NO_MATCH: 3, DENIED: 0 } },
    ['MATCHED 1', 'NO_MATCH not_allowed 3'],
  ],
  [
    'denials have the reason that was given most',
    { states: { MATCHED: 0, NO_MATCH: 0, DENIED: 3 }, reasons: { ech: 1, rule_denied: 2 } },
    ['DENIED rule_denied 3'],
  ],
  [
    'what was not allowed is no denial',
    { states: { MATCHED: 0, NO_MATCH: 2, DENIED: 1 }, reasons: { not_allowed: 2, destination_forbidden: 1 } },
    ['NO_MATCH not_allowed 2', 'DENIED destination_forbidden 1'],
  ],
  [
    'what did not resolve is told apart',
    { states: { MATCHED: 2, NO_MATCH: 2, DENIED: 0 }, reasons: { not_allowed: 1, unresolvable: 3 } },
    ['MATCHED unresolvable 2', 'NO_MATCH unresolvable 1', 'NO_MATCH not_allowed 1'],
  ],
])('%s', (_, facts, expected) => {
  const counts = new Map<string, number>();
  for (const { state, reason, flows } of flowsOfSite(siteWith(facts))) {
    const key = reason === null ? state : `${state} ${reason}`;
    counts.set(key, (counts.get(key) ?? 0) + flows);
  }
  expect([...counts].map(([key, flows]) => `${key} ${flows}`)).toEqual(expected);
});

test('the first and the last flow have their times', () => {
  const times = (flows: number) =>
    flowsOfSite(
      siteWith({ states: { MATCHED: flows, NO_MATCH: 0, DENIED: 0 }, firstSeenMs: 10, lastSeenMs: 20 }),
    ).map(flow => [flow.timeMs, flow.flows]);
  expect(times(5)).toEqual([
    [20, 1],
    [10, 4],
  ]);
  expect(times(1)).toEqual([[20, 1]]);
});

test('a site that is an address named no host', () => {
  expect(flowsOfSite(siteWith({ host: '93.184.216.34' }))[0]).toMatchObject({
    hostname: null,
    destination: '93.184.216.34',
  });
});

function siteWith(facts: Partial<SourceSite>): SourceSite {
  const [site] = SOURCE_SITES;
  if (site === undefined) throw new Error('no site');
  return { ...site, ...facts };
}
