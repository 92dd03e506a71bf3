import { LruMap } from '../resolve/lru-map.ts';

/** So many requests a second of one peer, for as long as it likes; and so many more at once. Far beyond any scraper. */
const REQUESTS_A_SECOND = 100;
const BURST = 500;
/** Peers that are remembered. One that is forgotten has its burst again. */
const MAX_PEERS = 1024;

interface Bucket {
  tokens: number;
  filledMs: number;
}

/** A token bucket for each peer. */
export class RequestRate {
  readonly #now: () => number;
  readonly #buckets = new LruMap<string, Bucket>(MAX_PEERS);

  /** `now`: milliseconds that never go back. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Counts a request of a peer. 0: it is served; else the seconds after which the next one will be. */
  take(peer: string): number {
    const nowMs = this.#now();
    const bucket = this.#buckets.use(peer) ?? { tokens: BURST, filledMs: nowMs };
    bucket.tokens = Math.min(BURST, bucket.tokens + ((nowMs - bucket.filledMs) * REQUESTS_A_SECOND) / 1000);
    bucket.filledMs = nowMs;
    this.#buckets.set(peer, bucket);
    if (bucket.tokens < 1) return Math.max(1, Math.ceil((1 - bucket.tokens) / REQUESTS_A_SECOND));
    bucket.tokens -= 1;
    return 0;
  }
}
