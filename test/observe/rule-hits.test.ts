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

test('a rule that is followed and never decided has no hits and no times', () => {
  const hits = hitsOf([[null, 1]]);
  hits.follow('api', 5);
  hits.follow('api', 9);
  expect(hits.of('api')).toEqual({ sinceMs: 5, hits: 0, firstMs: null, lastMs: null });
  expect(hits.of('other')).toBeUndefined();
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
  hits.follow('api', 15);
  expect(hits.of('api')).toEqual({ sinceMs: 10, hits: 3, firstMs: 10, lastMs: 20 });
  expect(hits.of('other')).toEqual({ sinceMs: 11, hits: 1, firstMs: 11, lastMs: 11 });
});

test('what was counted before this process is added', () => {
  const hits = hitsOf([['api', 10]]);
  hits.follow('quiet', 10);
  hits.restore('api', { sinceMs: 1, hits: 4, firstMs: 2, lastMs: 3 });
  hits.restore('quiet', { sinceMs: 2, hits: 0, firstMs: null, lastMs: null });
  expect(hits.of('api')).toEqual({ sinceMs: 1, hits: 5, firstMs: 2, lastMs: 10 });
  expect(hits.of('quiet')).toEqual({ sinceMs: 2, hits: 0, firstMs: null, lastMs: null });
});

test('rules that are gone are forgotten, the others keep their hits', () => {
  const hits = hitsOf([
    ['api', 10],
    ['gone', 11],
  ]);
  hits.forget('gone');
  expect([...hits.names()]).toEqual(['api']);
});

test('a reset counts all rules anew', () => {
  const hits = hitsOf([['api', 10]]);
  hits.reset(30);
  expect(hits.of('api')).toEqual({ sinceMs: 30, hits: 0, firstMs: null, lastMs: null });
});
