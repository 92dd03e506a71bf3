import type { IpAddress } from '../policy/address.ts';
import type { Hostname } from '../policy/hostname.ts';
import type { CachingResolver } from './caching-resolver.ts';
import { LruMap } from './lru-map.ts';
import type { Resolution, Resolver } from './resolver.ts';

export interface LookupLimits {
  /** Lookups under way at one time: each holds a socket or two. */
  readonly concurrent: number;
  /** Names that wait, of one source and in all. */
  readonly queuedPerSource: number;
  readonly queued: number;
  /** Names a second that one source may have looked up; ten seconds' worth at once. 0: no limit. */
  readonly perSourceAndSecond: number;
}

const DEFAULT_LOOKUP_LIMITS: LookupLimits = {
  concurrent: 128,
  queuedPerSource: 256,
  queued: 4_096,
  perSourceAndSecond: 100,
};
const BURST_SECONDS = 10;
/** Sources whose rate is remembered; one that is forgotten starts anew. */
const MAX_RATES = 16_384;

type Done = (resolution: Resolution) => void;

/** What one source has asked for and not been told. */
interface Asker {
  readonly key: string;
  /** In the order asked; each name once. */
  readonly waiting: Map<Hostname, Done[]>;
  underWay: number;
}

export interface FairLookupsOptions {
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly limits?: Partial<LookupLimits>;
}

/**
 * Shares the lookups among sources, so that one that asks for ever other names, or for names whose servers never answer,
 * keeps no other waiting. Sources take turns; none has more lookups under way than are left for the others, so there is
 * always room for one that comes new. What is known, or asked for already, costs nobody anything.
 */
export class FairLookups implements Resolver {
  readonly #cache: CachingResolver;
  readonly #now: () => number;
  readonly #limits: LookupLimits;
  readonly #askers = new Map<string, Asker>();
  /** Those with names that wait, the next one first. */
  readonly #turns = new Set<Asker>();
  readonly #rates: LruMap<string, { tokens: number; atMs: number }>;
  #underWay = 0;
  #queued = 0;
  #isDispatching = false;

  constructor(cache: CachingResolver, { now, limits = {} }: FairLookupsOptions) {
    this.#cache = cache;
    this.#now = now;
    this.#limits = { ...DEFAULT_LOOKUP_LIMITS, ...limits };
    this.#rates = new LruMap(MAX_RATES);
  }

  /** Without a source it is the daemon itself that asks, which waits for nobody. */
  resolve(hostname: Hostname, done: Done, source?: IpAddress): void {
    if (source === undefined || this.#cache.hasOrAwaits(hostname)) return this.#cache.resolve(hostname, done);
    const key = source.toString();
    const asker = this.#askers.get(key);
    const alike = asker?.waiting.get(hostname);
    if (alike !== undefined) {
      alike.push(done);
      return;
    }
    const { queued, queuedPerSource } = this.#limits;
    const isFull = this.#queued >= queued || (asker?.waiting.size ?? 0) >= queuedPerSource;
    if (isFull || !this.#takeToken(key)) {
      done({ ok: false, failure: 'limited', expiresMs: this.#now() });
      return;
    }
    this.#enqueue(asker ?? this.#newAsker(key), hostname, done);
    this.#dispatch();
  }

  #newAsker(key: string): Asker {
    const asker = { key, waiting: new Map(), underWay: 0 };
    this.#askers.set(key, asker);
    return asker;
  }

  #enqueue(asker: Asker, hostname: Hostname, done: Done): void {
    asker.waiting.set(hostname, [done]);
    this.#queued++;
    this.#turns.add(asker);
  }

  /** Starts what may be started. */
  #dispatch(): void {
    if (this.#isDispatching) return;
    this.#isDispatching = true;
    for (let asker = this.#nextAsker(); asker !== null; asker = this.#nextAsker()) this.#serve(asker);
    this.#isDispatching = false;
  }

  #nextAsker(): Asker | null {
    const free = this.#limits.concurrent - this.#underWay;
    if (free <= 0) return null;
    for (const asker of this.#turns) if (asker.underWay < free) return asker;
    return null;
  }

  #serve(asker: Asker): void {
    this.#turns.delete(asker);
    for (const [hostname, waiting] of asker.waiting) {
      asker.waiting.delete(hostname);
      this.#queued--;
      // To the end of the line.
      if (asker.waiting.size > 0) this.#turns.add(asker);
      return this.#lookUp(asker, hostname, waiting);
    }
  }

  #lookUp(asker: Asker, hostname: Hostname, waiting: readonly Done[]): void {
    // Another source may have asked meanwhile: then this one takes nobody's place.
    const places = this.#cache.hasOrAwaits(hostname) ? 0 : 1;
    this.#take(asker, places);
    this.#cache.resolve(hostname, resolution => {
      this.#take(asker, -places);
      for (const done of waiting) done(resolution);
      if (asker.underWay === 0 && asker.waiting.size === 0 && this.#askers.get(asker.key) === asker)
        this.#askers.delete(asker.key);
      this.#dispatch();
    });
  }

  #take(asker: Asker, places: number): void {
    asker.underWay += places;
    this.#underWay += places;
  }

  #takeToken(key: string): boolean {
    const perSecond = this.#limits.perSourceAndSecond;
    if (perSecond === 0) return true;
    const nowMs = this.#now();
    const most = perSecond * BURST_SECONDS;
    let rate = this.#rates.use(key);
    if (rate === undefined) {
      rate = { tokens: most, atMs: nowMs };
      this.#rates.set(key, rate);
    }
    // A clock that was set back gives nothing, and takes nothing.
    const elapsedMs = Math.max(0, nowMs - rate.atMs);
    rate.tokens = Math.min(most, rate.tokens + (elapsedMs / 1_000) * perSecond);
    rate.atMs = nowMs;
    if (rate.tokens < 1) return false;
    rate.tokens--;
    return true;
  }
}
