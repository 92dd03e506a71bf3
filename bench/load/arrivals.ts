const SEED = 0x5a11;

/**
 * When flows start in open loop, in milliseconds from the beginning: a Poisson process, as of many clients that know
 * nothing of each other. The same seed always, so that every proxy meets the same bursts.
 */
export function arrivalTimes(flowsPerSecond: number, seconds: number): Float64Array {
  const random = mulberry32(SEED);
  const times = new Float64Array(Math.round(flowsPerSecond * seconds));
  const meanGapMs = 1000 / flowsPerSecond;
  let at = 0;
  for (let i = 0; i < times.length; i++) {
    at -= Math.log(1 - random()) * meanGapMs;
    times[i] = at;
  }
  return times;
}

/** Tommy Ettinger's 32-bit generator: short, even, and the same on every machine. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
