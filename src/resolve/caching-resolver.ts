import type { IpAddress } from '../policy/address.ts';
import type { Hostname } from '../policy/hostname.ts';
import { LruMap } from './lru-map.ts';
import type { Resolution, Resolver } from './resolver.ts';

type Done = (resolution: Resolution) => void;

export interface CachingResolverOptions {
  /** Monotonic, in milliseconds: the clock that `Resolution.expiresMs` is told by. */
  readonly now: () => number;
  /** Names kept, the least recently asked for going first. Default 10 000. */
  readonly maxEntries?: number;
  /** Names asked for upstream at one time; one more is `limited` at once. Default 1 024. */
  readonly maxPending?: number;
}

/**
 * Keeps every resolution, failures too, until its `expiresMs`, and asks the upstream once for a name and source however
 * many ask meanwhile. Both tables are bounded, so random names cost their lookup and nothing lasting. No timers
 * and no platform: the main thread puts it over DNS, each data plane worker over a message port.
 */
export class CachingResolver implements Resolver {
  readonly #upstream: Resolver;
  readonly #now: () => number;
  readonly #maxPending: number;
  readonly #entries: LruMap<Hostname, Resolution>;
  /** By hostname and, where one is told, source. */
  readonly #pending = new Map<string, Done[]>();

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

  /** Whether a resolution is known, or awaited already. */
  hasOrAwaits(hostname: Hostname): boolean {
    return this.#fresh(hostname) !== undefined || this.#pending.has(hostname);
  }

  resolve(hostname: Hostname, done: Done, source?: IpAddress): void {
    const cached = this.#fresh(hostname);
    if (cached !== undefined) {
      done(cached);
      return;
    }
    // What one source waits for may take its turn behind much else of that source.
    const question = source === undefined ? hostname : `${hostname} ${source}`;
    const waiting = this.#pending.get(question);
    if (waiting !== undefined) {
      waiting.push(done);
      return;
    }
    if (this.#pending.size >= this.#maxPending) {
      done({ ok: false, failure: 'limited', expiresMs: this.#now() });
      return;
    }
    this.#pending.set(question, [done]);
    this.#upstream.resolve(hostname, resolution => this.#settle(hostname, question, resolution), source);
  }

  #fresh(hostname: Hostname): Resolution | undefined {
    const entry = this.#entries.use(hostname);
    return entry !== undefined && entry.expiresMs > this.#now() ? entry : undefined;
  }

  #settle(hostname: Hostname, question: string, resolution: Resolution): void {
    const waiting = this.#pending.get(question) ?? [];
    this.#pending.delete(question);
    if (resolution.expiresMs > this.#now()) this.#entries.set(hostname, resolution);
    for (const done of waiting) done(resolution);
  }
}
