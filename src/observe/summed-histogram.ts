import { Histogram, type HistogramConfiguration } from 'prom-client';
import { addCounts, type BucketCounts, emptyCounts } from './buckets.ts';

/** A histogram that is given sums of buckets instead of single values; prom-client's own can only observe one by one. */
export class SummedHistogram extends Histogram {
  readonly #config: HistogramConfiguration<string> & { readonly buckets: readonly number[] };
  readonly #total: BucketCounts;

  constructor(config: HistogramConfiguration<string> & { buckets: number[] }) {
    super(config);
    this.#config = config;
    this.#total = emptyCounts(config.buckets);
  }

  add(counts: BucketCounts): void {
    addCounts(this.#total, counts);
  }

  /** What the registry prints, and what `get` reads; prom-client 15 leaves this method out of its types. */
  async getForPromString() {
    const { name, help, buckets } = this.#config;
    let below = 0;
    const cumulative = [...buckets.map(String), '+Inf'].map((le, i) => {
      below += this.#total.counts[i] ?? 0;
      return { metricName: `${name}_bucket`, value: below, labels: { le }, sharedLabels: {} };
    });
    return {
      name,
      help,
      type: 'histogram',
      aggregator: 'sum',
      values: [
        ...cumulative,
        { metricName: `${name}_sum`, value: this.#total.sum, labels: {}, sharedLabels: {} },
        { metricName: `${name}_count`, value: below, labels: {}, sharedLabels: {} },
      ],
    };
  }
}
