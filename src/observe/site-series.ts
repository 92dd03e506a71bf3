import type { SiteCount } from './flow-tally.ts';
import type { SeriesOptions } from './series-options.ts';
import { flowsOf } from './site-query.ts';
import type { SiteRow } from './sites.ts';

/** What flows did in one step of time. */
export interface SeriesPoint {
  flows: number;
  /** Denied, or forwarded only because of observe mode. */
  dropped: number;
  bytesOut: number;
  bytesIn: number;
}

/** What the flows of each row did, step by step. Only steps in which something happened take room. */
export class SiteSeries {
  readonly options: SeriesOptions;
  /** By number of the step since the epoch. */
  readonly #steps = new Map<number, Map<SiteRow, SeriesPoint>>();
  #points = 0;

  constructor(options: SeriesOptions) {
    this.options = options;
  }

  get size(): number {
    return this.#points;
  }

  add(row: SiteRow, more: SiteCount): void {
    this.#add(Math.floor(more.lastSeenMs / this.options.stepMs), row, {
      flows: flowsOf(more),
      dropped: more.actions.deny + more.actions['would-deny'],
      bytesOut: more.bytesOut,
      bytesIn: more.bytesIn,
    });
  }

  /** Drops the points of a row. */
  forget(row: SiteRow): void {
    const first = Math.floor(row.count.firstSeenMs / this.options.stepMs);
    const last = Math.floor(row.count.lastSeenMs / this.options.stepMs);
    // A flood's rows live in one step: looking through all of them for each would take long.
    if (last - first < this.#steps.size) {
      for (let step = first; step <= last; step++) this.#forgetIn(step, row);
    } else {
      for (const step of this.#steps.keys()) this.#forgetIn(step, row);
    }
  }

  /** Drops what is too old. */
  prune(nowMs: number): void {
    const oldest = Math.floor((nowMs - this.options.keepMs) / this.options.stepMs);
    for (const step of this.#steps.keys()) if (step < oldest) this.#drop(step);
  }

  clear(): void {
    this.#steps.clear();
    this.#points = 0;
  }

  /** Takes out points, some `limit` of them. */
  take(limit: number): SiteSeries {
    const taken = new SiteSeries(this.options);
    for (const [step, points] of this.#steps) {
      if (taken.#points >= limit) break;
      taken.#steps.set(step, points);
      taken.#points += points.size;
      this.#steps.delete(step);
      this.#points -= points.size;
    }
    return taken;
  }

  /** Puts in points that were taken out of this or a like series. */
  absorb(other: SiteSeries): void {
    for (const [step, row, point] of other.entries()) this.#add(step, row, point);
  }

  /** Number of the step, row and point. */
  *entries(): Generator<[step: number, row: SiteRow, point: SeriesPoint]> {
    for (const [step, points] of this.#steps) for (const [row, point] of points) yield [step, row, point];
  }

  #add(step: number, row: SiteRow, more: SeriesPoint): void {
    let points = this.#steps.get(step);
    if (points === undefined) {
      points = new Map();
      this.#steps.set(step, points);
    }
    const point = points.get(row);
    if (point === undefined) {
      points.set(row, { ...more });
      this.#points++;
      this.#makeRoom(step);
    } else {
      addPoint(point, more);
    }
  }

  #makeRoom(latest: number): void {
    for (const step of this.#steps.keys()) {
      if (this.#points <= this.options.maxPoints) return;
      if (step !== latest) this.#drop(step);
    }
  }

  #forgetIn(step: number, row: SiteRow): void {
    if (this.#steps.get(step)?.delete(row) === true) this.#points--;
  }

  #drop(step: number): void {
    this.#points -= this.#steps.get(step)?.size ?? 0;
    this.#steps.delete(step);
  }
}

export function addPoint(point: SeriesPoint, more: SeriesPoint): void {
  point.flows += more.flows;
  point.dropped += more.dropped;
  point.bytesOut += more.bytesOut;
  point.bytesIn += more.bytesIn;
}
