import { expect, test } from 'vitest';
import { RuleHits } from '../../src/observe/rule-hits.ts';
import { decision, tallyOf } from './support.ts';

function hitsOf(...reports: readonly (readonly [rule: string | null, timeMs: number][])[]): RuleHits {
  const hits = new RuleHits();
  for (const flows of reports) {
    hits.add(tallyOf(...flows.map(([rule, timeMs]) => decision({ rule, timeMs }))).rules);
  }
  return hits;
}

test('a rule that never decided has no hits and no times', () => {
  expect(hitsOf([[null, 1]]).of('api')).toEqual({ hits: 0, firstMs: null, lastMs: null });
});

test('hits add up over reports, from the first time to the last', () => {
  const hits = hitsOf(
    [
      ['api', 10],
      ['other', 11],
      ['api', 12],
    ],
    [['api', 20]],
  );
  expect(hits.of('api')).toEqual({ hits: 3, firstMs: 10, lastMs: 20 });
  expect(hits.of('other')).toEqual({ hits: 1, firstMs: 11, lastMs: 11 });
});

test('a rule that is forgotten has no hits, the others keep theirs', () => {
  const hits = hitsOf([
    ['api', 10],
    ['gone', 11],
  ]);
  expect([...hits.names()]).toEqual(['api', 'gone']);
  hits.forget('gone');
  expect([hits.of('api').hits, hits.of('gone').hits]).toEqual([1, 0]);
});
