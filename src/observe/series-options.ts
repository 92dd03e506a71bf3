export interface SeriesOptions {
  /** The length of a step. */
  readonly stepMs: number;
  /** Steps of longer ago are forgotten. */
  readonly keepMs: number;
  /** Points at most, a point being one row in one step: then the oldest steps go. The latest step always stays. */
  readonly maxPoints: number;
}

export const MINUTES: SeriesOptions = { stepMs: 60_000, keepMs: 48 * 3_600_000, maxPoints: 50_000 };
export const HOURS: SeriesOptions = { stepMs: 3_600_000, keepMs: 90 * 24 * 3_600_000, maxPoints: 50_000 };
