/** Upper bounds in seconds. A sniff waits for the client's first packet: a round trip, or until `helloTimeout`. */
export const SNIFF_BUCKETS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
];
/** A dial takes a round trip; a lost SYN costs a second, then three. */
export const DIAL_BUCKETS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
/** From a short request to a connection held for a day. */
export const FLOW_BUCKETS: readonly number[] = [
  0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400,
];

/** How many values fell into each bucket (the last: beyond all bounds), and their sum in seconds. Plain data. */
export interface BucketCounts {
  readonly counts: number[];
  sum: number;
}

export function emptyCounts(bounds: readonly number[]): BucketCounts {
  return { counts: new Array<number>(bounds.length + 1).fill(0), sum: 0 };
}

/** Counts one value, in seconds. */
export function count(into: BucketCounts, bounds: readonly number[], seconds: number): void {
  let bucket = 0;
  while (seconds > (bounds[bucket] ?? Number.POSITIVE_INFINITY)) bucket++;
  into.counts[bucket] = (into.counts[bucket] ?? 0) + 1;
  into.sum += seconds;
}

/** Adds `more` to `into`. */
export function addCounts(into: BucketCounts, more: BucketCounts): void {
  more.counts.forEach((n, bucket) => {
    into.counts[bucket] = (into.counts[bucket] ?? 0) + n;
  });
  into.sum += more.sum;
}
