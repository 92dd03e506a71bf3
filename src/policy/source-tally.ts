import type { SeenFlow } from './seen-flow.ts';

const MAX_SOURCES = 1_000;
const SHOWN_SOURCES = 3;

/** How often something was seen, when, and by whom. Plain data, fit for JSON. */
export interface Seen {
  /** Folded ones counted. */
  readonly flows: number;
  /** Different sources; 1000 stands for that many or more. */
  readonly sources: number;
  /** A few of them, in order. */
  readonly someSources: readonly string[];
  /** Epoch milliseconds; null where no record named a time. */
  readonly firstSeenMs: number | null;
  readonly lastSeenMs: number | null;
}

/** Counts flows and their sources, in bounded memory. */
export class SourceTally {
  #flows = 0;
  #firstSeenMs = Number.POSITIVE_INFINITY;
  #lastSeenMs = Number.NEGATIVE_INFINITY;
  readonly #sources = new Set<string>();

  add({ flows, source, timeMs }: Pick<SeenFlow, 'flows' | 'source' | 'timeMs'>): void {
    this.#flows += flows;
    if (this.#sources.size < MAX_SOURCES) this.#sources.add(source);
    if (timeMs !== null) this.#span(timeMs, timeMs);
  }

  addAll(other: SourceTally): void {
    this.#flows += other.#flows;
    this.#span(other.#firstSeenMs, other.#lastSeenMs);
    for (const source of other.#sources) if (this.#sources.size < MAX_SOURCES) this.#sources.add(source);
  }

  get seen(): Seen {
    const hasTime = this.#firstSeenMs <= this.#lastSeenMs;
    return {
      flows: this.#flows,
      sources: this.#sources.size,
      someSources: [...this.#sources].sort().slice(0, SHOWN_SOURCES),
      firstSeenMs: hasTime ? this.#firstSeenMs : null,
      lastSeenMs: hasTime ? this.#lastSeenMs : null,
    };
  }

  #span(firstMs: number, lastMs: number): void {
    if (firstMs < this.#firstSeenMs) this.#firstSeenMs = firstMs;
    if (lastMs > this.#lastSeenMs) this.#lastSeenMs = lastMs;
  }
}
