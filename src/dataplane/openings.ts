import type { IpAddress } from '../policy/address.ts';
import type { Counters, WorkerCounters } from './counters.ts';
import type { WorkerSources } from './source-counts.ts';

export type OpeningLimit = 'undecided_limit' | 'undecided_source_limit';

export interface OpeningLimits {
  /** Connections at most whose opening is awaited, in all; 0: no limit. */
  readonly undecided: number;
  /** The same of one source address. */
  readonly undecidedPerSource: number;
}

/**
 * The connections of which it is not yet known where they want to go: their hello or request has not come whole. Slow
 * and silent clients cost most of what a client can cost unjudged, so their number is bounded, over all workers. No source
 * has more of them than are left for others: however many fill the places, one is there for a source that comes new. A
 * name that is being looked up is not awaited here: one slow name is not to shut a source out.
 */
export class Openings {
  readonly #counters: Counters;
  readonly #own: WorkerCounters;
  readonly #sources: WorkerSources;
  readonly #limits: OpeningLimits;

  /** `counters` are all workers', `own` and `sources` this worker's part. */
  constructor(
    { counters, own, sources }: { counters: Counters; own: WorkerCounters; sources: WorkerSources },
    limits: OpeningLimits,
  ) {
    this.#counters = counters;
    this.#own = own;
    this.#sources = sources;
    this.#limits = limits;
  }

  /**
   * Counts one more, to be taken back by `leave`, unless a limit is reached. Returns which one, null for none. A source
   * of null is not known yet.
   */
  tryEnter(source: IpAddress | null): OpeningLimit | null {
    const { undecided, undecidedPerSource } = this.#limits;
    const free = undecided === 0 ? Number.POSITIVE_INFINITY : undecided - this.#counters.allAwaited();
    if (free <= 0) return 'undecided_limit';
    const most = Math.min(undecidedPerSource === 0 ? Number.POSITIVE_INFINITY : undecidedPerSource, free);
    if (source !== null && this.#countsSources && !this.#sources.tryOpen(source, most)) {
      return most === undecidedPerSource ? 'undecided_source_limit' : 'undecided_limit';
    }
    this.#own.awaited(1);
    return null;
  }

  leave(source: IpAddress | null): void {
    if (source !== null && this.#countsSources) this.#sources.close(source);
    this.#own.awaited(-1);
  }

  get #countsSources(): boolean {
    return this.#limits.undecided > 0 || this.#limits.undecidedPerSource > 0;
  }
}
