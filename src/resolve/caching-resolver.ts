import type { Hostname } from '../policy/hostname.ts';
import { LruMap } from './lru-map.ts';
import type { Resolution, Resolver } from './resolver.ts';

type Done = (resolution: Resolution) => void;

export interface CachingResolverOptions {
  /** Epoch milliseconds, on the clock that `Resolution.expiresMs` is told by. */
  readonly now: () => number;
  /** Names kept, the least recently asked for going first. Default 10 000. */
  readonly maxEntries?: number;
  /** Names asked for upstream at one time; one more is `unreachable` at once (each holds a socket). Default 1 024. */
  readonly maxPending?: number;
}

/**
 * Keeps every resolution, failures too, until its `expiresMs`, and asks the upstream once for a name however
 * many ask meanwhile. Both tables are bounded, so random names cost their lookup and nothing lasting. No timers
 * and no platform: the main thread puts it over DNS, each data plane worker over a message port.
 */
export class CachingResolver implements Resolver {
  readonly #upstream: Resolver;
  readonly #now: () => number;
  readonly #maxPending: number;
  readonly #entries: LruMap<Hostname, Resolution>;
  readonly #pending = new Map<Hostname, Done[]>();

  constructor(upstream: Resolver, { now, maxEntries = 10_000, maxPending = 1_024 }: CachingResolverOptions) {
    this.#upstream = upstream;
    this.#now = now;
    this.#maxPending = maxPending;
    this.#entries = new LruMap(maxEntries);
  }

  /** Names kept at the moment, expired ones included until they are asked for or pushed out. */
  get size(): number {
    return this.#entries.size;
  }

  resolve(hostname: Hostname, done: Done): void {
    const cached = this.#fresh(hostname);
    if (cached !== undefined) {
      done(cached);
      return;
    }
    const waiting = this.#pending.get(hostname);
    if (waiting !== undefined) {
      waiting.push(done);
      return;
    }
    if (this.#pending.size >= this.#maxPending) {
      done({ ok: false, failure: 'unreachable', expiresMs: this.#now() });
      return;
    }
    this.#pending.set(hostname, [done]);
    this.#upstream.resolve(hostname, resolution => this.#settle(hostname, resolution));
  }

  #fresh(hostname: Hostname): Resolution | undefined {
    const entry = this.#entries.use(hostname);
    return entry !== undefined && entry.expiresMs > this.#now() ? entry : undefined;
  }

  #settle(hostname: Hostname, resolution: Resolution): void {
    const waiting = this.#pending.get(hostname) ?? [];
    this.#pending.delete(hostname);
    if (resolution.expiresMs > this.#now()) this.#entries.set(hostname, resolution);
    for (const done of waiting) done(resolution);
  }
}
