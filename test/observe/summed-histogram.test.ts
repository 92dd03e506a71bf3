import fc from 'fast-check';
import { Histogram, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { count, emptyCounts, FLOW_BUCKETS } from '../../src/observe/buckets.ts';
import { SummedHistogram } from '../../src/observe/summed-histogram.ts';

const CONFIG = { name: 'flow_seconds', help: 'From accept to close' };

/** One of each kind, which print to registries of their own. */
function both() {
  const [summedRegistry, plainRegistry] = [new Registry(), new Registry()];
  const config = (registry: Registry) => ({ ...CONFIG, buckets: [...FLOW_BUCKETS], registers: [registry] });
  return {
    summed: new SummedHistogram(config(summedRegistry)),
    plain: new Histogram(config(plainRegistry)),
    printed: async () => ({ summed: await summedRegistry.metrics(), plain: await plainRegistry.metrics() }),
    asJson: async () => ({
      summed: await summedRegistry.getMetricsAsJSON(),
      plain: await plainRegistry.getMetricsAsJSON(),
    }),
  };
}

// Eighths of a second: their sums are exact in whatever order they are made.
const seconds = fc.oneof(
  fc.integer({ min: 0, max: 1_000_000 }).map(eighths => eighths / 8),
  fc.constantFrom(0, 0.5, 1, 5, 86_400, 86_400.125),
);

test('it prints what a histogram does that was given the values one by one', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(seconds)), async reports => {
      const { summed, plain, printed } = both();
      for (const report of reports) {
        const counts = emptyCounts(FLOW_BUCKETS);
        for (const value of report) {
          count(counts, FLOW_BUCKETS, value);
          plain.observe(value);
        }
        summed.add(counts);
      }
      const texts = await printed();
      expect(texts.summed).toBe(texts.plain);
    }),
  );
});

test('buckets are cumulative, and a value on a bound is below it', async () => {
  const { summed, printed } = both();
  const counts = emptyCounts(FLOW_BUCKETS);
  for (const value of [0.01, 0.02, 1, 100_000]) count(counts, FLOW_BUCKETS, value);
  summed.add(counts);
  const lines = (await printed()).summed.split('\n');
  const expected = [
    'flow_seconds_bucket{le="0.01"} 1',
    'flow_seconds_bucket{le="0.05"} 2',
    'flow_seconds_bucket{le="0.5"} 2',
    'flow_seconds_bucket{le="1"} 3',
    'flow_seconds_bucket{le="86400"} 3',
    'flow_seconds_bucket{le="+Inf"} 4',
    'flow_seconds_sum 100001.03',
    'flow_seconds_count 4',
  ];
  expect(lines.filter(line => expected.includes(line))).toEqual(expected);
});

test('as data it has the same name, help, kind and values', async () => {
  const { summed, plain, asJson } = both();
  const counts = emptyCounts(FLOW_BUCKETS);
  count(counts, FLOW_BUCKETS, 0.5);
  plain.observe(0.5);
  summed.add(counts);
  const { summed: ours, plain: theirs } = await asJson();
  expect(ours).toMatchObject([{ name: CONFIG.name, help: CONFIG.help, type: theirs[0]?.type }]);
  const valuesOf = (metrics: typeof ours) => metrics[0]?.values?.map(({ value }) => value);
  expect(valuesOf(ours)).toEqual(valuesOf(theirs));
});
