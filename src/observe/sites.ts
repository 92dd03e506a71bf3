import type { Reason } from '../policy/reason.ts';
import { LruMap } from '../resolve/lru-map.ts';
import type { SiteCount } from './flow-tally.ts';

/** What one source did at one site, in the table. */
export interface SiteRow {
  readonly count: SiteCount;
}

export interface SitesOptions {
  /** Rows at most: a site counts once for each source that visits it. */
  readonly maxSites?: number;
  /** A row not seen for so long goes. */
  readonly maxAgeMs?: number;
}

/**
 * The discovery table: which sites were visited, by which source. A flow counts when its decision is said, whatever
 * the action. Bounded: the row seen longest ago makes room. A flow without hostname and address is no site.
 *
 * A source is an address as it is: in the networks that gateways serve, a whole subnet shares an IPv6 /64.
 */
export class Sites {
  readonly #rows: LruMap<string, SiteRow>;
  readonly #maxAgeMs: number;
  /** How many rows each site has. */
  readonly #sites = new Map<string, number>();
  #evictions = 0;

  constructor({ maxSites = 10_000, maxAgeMs = Number.POSITIVE_INFINITY }: SitesOptions = {}) {
    this.#rows = new LruMap(maxSites);
    this.#maxAgeMs = maxAgeMs;
  }

  /** Different sites, whoever visited them. */
  get size(): number {
    return this.#sites.size;
  }

  /** Rows that had to make room, since the process started. */
  get evictions(): number {
    return this.#evictions;
  }

  /** Adds what flows did meanwhile. Bytes alone, of a flow that closed, make no row. */
  add(counts: readonly SiteCount[]): void {
    for (const count of counts) {
      const key = rowKey(count);
      const isDecided = count.lastRule !== undefined;
      const row = isDecided ? this.#rows.use(key) : this.#rows.peek(key);
      if (row !== undefined) addTo(row.count, count);
      else if (isDecided) this.#insert(key, { count });
    }
  }

  /** Drops what was not seen for `maxAgeMs`. */
  prune(nowMs: number): void {
    for (let row = this.#rows.oldest(); row !== undefined; row = this.#rows.oldest()) {
      if (row.count.lastSeenMs >= nowMs - this.#maxAgeMs) return;
      this.#rows.delete(rowKey(row.count));
      this.#removed(row);
    }
  }

  /** Drops everything; returns how many different sites that were. */
  clear(): number {
    const dropped = this.size;
    this.#rows.clear();
    this.#sites.clear();
    return dropped;
  }

  /** In the order first seen. The rows go on counting: copy what is to stay. */
  rows(): readonly SiteRow[] {
    return this.#rows.values();
  }

  #insert(key: string, row: SiteRow): void {
    const site = siteKey(row.count);
    this.#sites.set(site, (this.#sites.get(site) ?? 0) + 1);
    const evicted = this.#rows.set(key, row);
    if (evicted === undefined) return;
    this.#evictions++;
    this.#removed(evicted);
  }

  #removed({ count }: SiteRow): void {
    const site = siteKey(count);
    const left = (this.#sites.get(site) ?? 0) - 1;
    if (left > 0) this.#sites.set(site, left);
    else this.#sites.delete(site);
  }
}

/** What tells sites apart. */
export function siteKey({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host},${port}`;
}

function rowKey({ source, host, port }: SiteCount): string {
  return `${source},${host},${port}`;
}

/** Adds `more`, the later of the two, to `count`. */
export function addTo(count: SiteCount, more: SiteCount): void {
  for (const state of ['MATCHED', 'NO_MATCH', 'DENIED'] as const) count.states[state] += more.states[state];
  for (const action of ['allow', 'deny', 'would-deny'] as const)
    count.actions[action] += more.actions[action];
  for (const name of Object.keys(more.reasons)) {
    const reason = name as Reason;
    count.reasons[reason] = (count.reasons[reason] ?? 0) + (more.reasons[reason] ?? 0);
  }
  count.ech += more.ech;
  count.switched += more.switched;
  count.protocols |= more.protocols;
  count.bytesOut += more.bytesOut;
  count.bytesIn += more.bytesIn;
  if (more.lastRule === undefined) return;
  count.lastRule = more.lastRule;
  // Reports of several threads overlap, and clocks are set back.
  count.firstSeenMs = Math.min(count.firstSeenMs, more.firstSeenMs);
  count.lastSeenMs = Math.max(count.lastSeenMs, more.lastSeenMs);
}
