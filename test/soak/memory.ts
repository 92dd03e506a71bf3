/** Memory at some point of a run. */
export interface MemorySample {
  readonly flows: number;
  readonly mib: number;
}

export interface MemoryTrend {
  /** MiB for each 100 000 flows more, over the second half; null: too few samples to tell. */
  readonly slope: number | null;
  /** The lows of the first and the last quarter. */
  readonly earlyMib: number;
  readonly lateMib: number;
}

/** What is resident swings with the collector; its lows do not, unless something stays. So many lows make the line. */
const WINDOWS = 12;
const SAMPLES_A_WINDOW = 4;
/** Until then, heaps grow to their working size. */
const WARM_UP_FLOWS = 100_000;

/** Where memory goes once heaps have their working size: least squares through the lows of the second half. */
export function memoryTrend(all: readonly MemorySample[]): MemoryTrend {
  const samples = all.filter(({ flows }) => flows >= WARM_UP_FLOWS);
  const quarter = Math.floor(samples.length / 4);
  const half = samples.slice(2 * quarter);
  const width = Math.floor(half.length / WINDOWS);
  const lows = Array.from({ length: WINDOWS }, (_, i) => lowest(half.slice(i * width, (i + 1) * width)));
  return {
    slope: width < SAMPLES_A_WINDOW ? null : slopeOf(lows) * 100_000,
    earlyMib: lowest(samples.slice(0, quarter)).mib,
    lateMib: lowest(samples.slice(3 * quarter)).mib,
  };
}

function lowest(samples: readonly MemorySample[]): MemorySample {
  return samples.reduce((low, sample) => (sample.mib < low.mib ? sample : low), {
    flows: 0,
    mib: Number.POSITIVE_INFINITY,
  });
}

function slopeOf(points: readonly MemorySample[]): number {
  const mean = (of: (point: MemorySample) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean(({ flows }) => flows), mean(({ mib }) => mib)];
  const variance = mean(({ flows }) => (flows - x) ** 2);
  return variance === 0 ? 0 : mean(({ flows, mib }) => (flows - x) * (mib - y)) / variance;
}
