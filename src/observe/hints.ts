import type { PresetHints } from '../policy/preset-hint.ts';
import { LruMap } from '../resolve/lru-map.ts';
import type { SiteCount } from './flow-tally.ts';
import type { Log } from './log.ts';

export interface HintsOptions {
  readonly log: Pick<Log, 'info'>;
  /** Hosts remembered as told. */
  readonly maxHosts?: number;
  /** Told in a window at most: whoever makes names up must not fill the log. What is left out is told when seen again. */
  readonly maxInWindow?: number;
  readonly windowMs?: number;
}

/** Tells, once of each host that no rule allows, which preset or bucket it belongs to. */
export class Hints {
  readonly #log: Pick<Log, 'info'>;
  readonly #told: LruMap<string, true>;
  readonly #maxInWindow: number;
  readonly #windowMs: number;
  #known: PresetHints | null = null;
  #windowStartMs = Number.NEGATIVE_INFINITY;
  #toldInWindow = 0;

  constructor({ log, maxHosts = 10_000, maxInWindow = 20, windowMs = 60_000 }: HintsOptions) {
    this.#log = log;
    this.#told = new LruMap(maxHosts);
    this.#maxInWindow = maxInWindow;
    this.#windowMs = windowMs;
  }

  /** What hosts are known as; null before anything is. */
  get known(): PresetHints | null {
    return this.#known;
  }

  /** From now on hosts are known as these say. */
  use(known: PresetHints): void {
    this.#known = known;
  }

  /** Takes what flows to some sites did meanwhile. */
  add(counts: readonly SiteCount[], nowMs: number): void {
    const known = this.#known;
    if (known === null) return;
    // A clock that was set back begins a window as well.
    if (nowMs - this.#windowStartMs >= this.#windowMs || nowMs < this.#windowStartMs) {
      this.#windowStartMs = nowMs;
      this.#toldInWindow = 0;
    }
    for (const { host, states } of counts) {
      if (this.#toldInWindow >= this.#maxInWindow) return;
      if (states.NO_MATCH === 0 || this.#told.peek(host) === true) continue;
      const hint = known.hintFor(host);
      if (hint === null) continue;
      this.#told.set(host, true);
      this.#toldInWindow++;
      this.#log.info(`${host} ${hint}`, { event: 'hint', hostname: host, hint });
    }
  }
}
