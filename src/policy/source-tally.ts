import type { SeenFlow } from './seen-flow.ts';

const MAX_SOURCES = 1_000;
const SHOWN_SOURCES = 5;

/** How often something was seen, when, and by whom. Plain data, fit for JSON. */
export interface Seen {
  /** Folded ones counted. */
  readonly flows: number;
  /** Different sources; 1000 stands for that many or more. */
  readonly sources: number;
  /** The first few of them, in order. */
  readonly someSources: readonly string[];
  /** Epoch milliseconds; null where no record named a time. */
  readonly firstSeenMs: number | null;
  readonly lastSeenMs: number | null;
}

/** Counts flows and their sources, in bounded memory. */
export class SourceTally {
  #flows = 0;
  #firstSeenMs: number | null = null;
  #lastSeenMs: number | null = null;
  readonly #sources = new Set<string>();

  add({ flows, source, timeMs }: Pick<SeenFlow, 'flows' | 'source' | 'timeMs'>): void {
    this.#flows += flows;
    if (this.#sources.size < MAX_SOURCES) this.#sources.add(source);
    if (timeMs === null) return;
    if (this.#firstSeenMs === null || timeMs < this.#firstSeenMs) this.#firstSeenMs = timeMs;
    if (this.#lastSeenMs === null || timeMs > this.#lastSeenMs) this.#lastSeenMs = timeMs;
  }

  get seen(): Seen {
    return {
      flows: this.#flows,
      sources: this.#sources.size,
      someSources: [...this.#sources].sort().slice(0, SHOWN_SOURCES),
      firstSeenMs: this.#firstSeenMs,
      lastSeenMs: this.#lastSeenMs,
    };
  }
}
