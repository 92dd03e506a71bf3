const HOUR_MS = 3_600_000;
const DAY_HOURS = 24;
/** As long as the hourly series are. */
const KEPT_HOURS = 90 * DAY_HOURS;
/** A day counts as watched when half of it was. */
const ENOUGH_HOURS = 12;

/**
 * The hours in which flows were watched: what was not seen while nobody looked says nothing. Hours count from the
 * epoch; days are UTC's.
 */
export class WatchedHours {
  readonly #hours = new Set<number>();

  /** Notes that the hour of `timeMs` is watched, and returns it if that is new; forgets those too long before. */
  mark(timeMs: number): number | null {
    const now = Math.floor(timeMs / HOUR_MS);
    if (this.#hours.has(now)) return null;
    this.#hours.add(now);
    for (const hour of this.#hours) if (hour <= now - KEPT_HOURS) this.#hours.delete(hour);
    return now;
  }

  add(hours: Iterable<number>): void {
    for (const hour of hours) this.#hours.add(hour);
  }

  clear(): void {
    this.#hours.clear();
  }

  /** What was watched from the hour of `timeMs` on. */
  since(timeMs: number): number[] {
    const first = Math.floor(timeMs / HOUR_MS);
    return [...this.#hours].filter(hour => hour >= first).sort((a, b) => a - b);
  }
}

export interface Calendar {
  /** Hours watched, in days. */
  readonly days: number;
  /** Most of a Saturday and of the Sunday behind it were watched. */
  readonly hasWeekend: boolean;
  /** Most of the last day of a month and of the first of the next were watched. */
  readonly hasMonthEnd: boolean;
}

/** What the watched hours cover. */
export function calendarOf(hours: readonly number[]): Calendar {
  const perDay = new Map<number, number>();
  for (const hour of hours) {
    const day = Math.floor(hour / DAY_HOURS);
    perDay.set(day, (perDay.get(day) ?? 0) + 1);
  }
  const isWatched = (day: number) => (perDay.get(day) ?? 0) >= ENOUGH_HOURS;
  const pairs = [...perDay.keys()].filter(day => isWatched(day) && isWatched(day + 1));
  return {
    days: hours.length / DAY_HOURS,
    hasWeekend: pairs.some(day => dateOf(day).getUTCDay() === 6),
    hasMonthEnd: pairs.some(day => dateOf(day + 1).getUTCDate() === 1),
  };
}

function dateOf(day: number): Date {
  return new Date(day * DAY_HOURS * HOUR_MS);
}
