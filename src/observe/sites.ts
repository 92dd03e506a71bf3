import type { Action, State } from '../policy/decision.ts';
import { LruMap } from '../resolve/lru-map.ts';
import { type SiteCount, siteKey } from './flow-tally.ts';

/** One visited place, and what became of the flows to it. Times are epoch milliseconds. */
export interface Site {
  /** The hostname, or the destination address of flows that named none. */
  readonly host: string;
  readonly protocol: 'tcp';
  readonly port: number;
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  /** Flows by what the rules said. */
  readonly states: Readonly<Record<State, number>>;
  /** Flows by what was done. */
  readonly actions: Readonly<Record<Action, number>>;
  /** The rule that decided the latest flow; null when none did. */
  readonly lastRule: string | null;
  /** Of closed flows. */
  readonly bytesOut: number;
  readonly bytesIn: number;
}

/**
 * The discovery table: which sites were visited. A flow counts when its decision is said, whatever the action.
 * Bounded: the site seen longest ago makes room. A flow without hostname and address is no site.
 */
export class Sites {
  readonly #sites: LruMap<string, SiteCount>;
  #evictions = 0;

  constructor(maxSites = 10_000) {
    this.#sites = new LruMap(maxSites);
  }

  get size(): number {
    return this.#sites.size;
  }

  /** Sites that had to make room, since the process started. */
  get evictions(): number {
    return this.#evictions;
  }

  /** Adds what flows to some sites did meanwhile. Bytes alone, of a flow that closed, make no site. */
  add(counts: readonly SiteCount[]): void {
    for (const count of counts) {
      const key = siteKey(count.host, count.port);
      const isDecided = count.lastRule !== undefined;
      const site = isDecided ? this.#sites.use(key) : this.#sites.peek(key);
      if (site !== undefined) addTo(site, count);
      else if (isDecided && this.#sites.set(key, count)) this.#evictions++;
    }
  }

  /** In the order first seen. */
  list(): Site[] {
    return this.#sites.values().map(site => ({
      ...site,
      protocol: 'tcp',
      lastRule: site.lastRule ?? null,
      states: { ...site.states },
      actions: { ...site.actions },
    }));
  }
}

function addTo(site: SiteCount, more: SiteCount): void {
  for (const state of ['MATCHED', 'NO_MATCH', 'DENIED'] as const) site.states[state] += more.states[state];
  for (const action of ['allow', 'deny', 'would-deny'] as const) site.actions[action] += more.actions[action];
  // Reports of several threads overlap.
  if (more.lastRule !== undefined && more.lastSeenMs >= site.lastSeenMs) {
    site.lastRule = more.lastRule;
    site.lastSeenMs = more.lastSeenMs;
  }
  site.bytesOut += more.bytesOut;
  site.bytesIn += more.bytesIn;
}
