import { describe, expect, test } from 'vitest';
import { FloodFold } from '../../src/observe/flood-fold.ts';
import { close, decision } from './support.ts';

function setUp(maxKeys = 100) {
  const said: string[] = [];
  const counts = { suppressed: 0 };
  const fold = new FloodFold({
    log: {
      decided: (event, suppressed = 0) => said.push(`decision ${event.flow} suppressed ${suppressed}`),
      closed: event => said.push(`close ${event.flow}`),
    },
    onSuppressed: () => counts.suppressed++,
    windowMs: 10_000,
    maxKeys,
  });
  return { fold, said, counts };
}

test('an identical decision is said once, then counted, then said with the count after a window', () => {
  const { fold, said } = setUp();
  for (const [flow, timeMs] of [
    ['a', 0],
    ['b', 1],
    ['c', 9_999],
    ['d', 10_000],
    ['e', 10_001],
    ['f', 20_000],
  ] as const) {
    fold.decided(decision({ flow, timeMs }));
  }
  expect(said).toEqual(['decision a suppressed 0', 'decision d suppressed 2', 'decision f suppressed 1']);
});

test('the close of a flow is said exactly when its decision was, and all that is left out is counted', () => {
  const { fold, said, counts } = setUp();
  for (const flow of ['a', 'b']) fold.decided(decision({ flow, timeMs: 0 }));
  for (const flow of ['b', 'a']) fold.closed(close({ flow }));
  expect(said).toEqual(['decision a suppressed 0', 'close a']);
  expect(counts.suppressed).toBe(2);
});

describe('a decision is no repeat when it differs by', () => {
  const cases: readonly [string, Parameters<typeof decision>[0]][] = [
    ['source', { srcIp: '10.9.9.9' }],
    ['hostname', { hostname: 'other.example' }],
    ['port', { dstPort: 8443 }],
    ['state', { state: 'DENIED' }],
    ['action', { action: 'deny' }],
    ['reason', { reason: 'rule_denied' }],
    ['address, when there is no name', { hostname: null }],
  ];
  test.each(cases)('%s', (_sentence, overrides) => {
    const { fold, said } = setUp();
    fold.decided(decision());
    fold.decided(decision({ flow: 'other', ...overrides }));
    expect(said).toHaveLength(2);
  });

  test('nothing but the source port and the flow', () => {
    const { fold, said } = setUp();
    fold.decided(decision());
    fold.decided(decision({ flow: 'other', srcPort: 1 }));
    expect(said).toHaveLength(1);
  });
});

test('a first sighting is said however many there are, and what was met longest ago is new again', () => {
  const { fold, said } = setUp(2);
  for (const hostname of ['a.example', 'b.example', 'c.example', 'a.example'])
    fold.decided(decision({ hostname }));
  expect(said).toHaveLength(4);
});
