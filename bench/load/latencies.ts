import { quantile } from '../measure/statistics.ts';

/** Microseconds. */
export interface LatencySummary {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** Latencies of a known number of flows, every one kept: at these numbers a histogram would only lose digits. */
export class Latencies {
  readonly #valuesUs: Float64Array;
  #count = 0;

  constructor(capacity: number) {
    this.#valuesUs = new Float64Array(capacity);
  }

  add(us: number): void {
    this.#valuesUs[this.#count++] = us;
  }

  summary(): LatencySummary {
    const sorted = this.#valuesUs.subarray(0, this.#count).sort();
    return {
      p50: quantile(sorted, 0.5),
      p99: quantile(sorted, 0.99),
      p999: quantile(sorted, 0.999),
      max: quantile(sorted, 1),
    };
  }
}
