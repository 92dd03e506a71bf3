import type { Reason } from '../policy/reason.ts';
import { LruMap } from '../resolve/lru-map.ts';
import type { SiteCount } from './flow-tally.ts';

/** What one source did at one site, in the table. */
export interface SiteRow {
  readonly count: SiteCount;
  /** For a store: what it knows the row by; 0 before it does, GONE for a row that left the table. */
  id: number;
}

export const GONE = -1;

/** Of the table. */
const SLIGHT_SHARE = 0.1;

/** Hears of the table's changes. */
export interface SiteJournal {
  /** `more` was added to the row: it is the whole count of a new one. */
  siteChanged(row: SiteRow, more: SiteCount): void;
  /** The row has left the table; `id` is what it was known by. */
  siteGone(row: SiteRow, id: number): void;
}

export interface SitesOptions {
  /** Rows at most: a site counts once for each source that visits it. */
  readonly maxSites?: number;
  /** A row not seen for so long goes. */
  readonly maxAgeMs?: number;
}

/**
 * The discovery table: which sites were visited, by which source. A flow counts when its decision is said, whatever
 * the action. Bounded: the row seen longest ago makes room; of those that anybody can make by asking for random names,
 * more than a share of the table make room for each other. A flow without hostname and address is no site.
 *
 * A source is an address as it is: in the networks that gateways serve, a whole subnet shares an IPv6 /64.
 */
export class Sites {
  readonly #rows: LruMap<string, SiteRow>;
  /** The slight ones of them. */
  readonly #slight = new LruMap<string, SiteRow>(Number.POSITIVE_INFINITY);
  readonly #maxAgeMs: number;
  /** How many rows each site has. */
  readonly #sites = new Map<string, number>();
  readonly #journal: SiteJournal | null;
  #evictions = 0;

  constructor(
    { maxSites = 10_000, maxAgeMs = Number.POSITIVE_INFINITY }: SitesOptions = {},
    journal: SiteJournal | null = null,
  ) {
    this.#rows = new LruMap(maxSites);
    this.#maxAgeMs = maxAgeMs;
    this.#journal = journal;
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
      if (row !== undefined) {
        addTo(row.count, count);
        if (isDecided) this.#weigh(key, row);
        this.#journal?.siteChanged(row, count);
      } else if (isDecided) {
        this.#insert(key, { count, id: 0 });
      }
    }
  }

  /**
   * Puts in what a store knows by `id`, from before this process; what was counted since stays the later. Returns
   * whether the row is there: a full table has no room for it.
   */
  restore(id: number, count: SiteCount): boolean {
    const key = rowKey(count);
    const row = this.#rows.peek(key);
    if (row === undefined) {
      const isRoom = this.#rows.size < this.#rows.maxEntries;
      if (isRoom) this.#put(key, { count, id });
      return isRoom;
    }
    if (row.id !== 0) return row.id === id;
    row.id = id;
    const { lastRule } = row.count;
    addTo(row.count, count);
    row.count.lastRule = lastRule;
    this.#weigh(key, row);
    return true;
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
    for (const row of this.#rows.values()) row.id = GONE;
    this.#rows.clear();
    this.#slight.clear();
    this.#sites.clear();
    return dropped;
  }

  /** In the order first seen. The rows go on counting: copy what is to stay. */
  rows(): readonly SiteRow[] {
    return this.#rows.values();
  }

  #insert(key: string, row: SiteRow): void {
    if (this.#rows.size >= this.#rows.maxEntries) this.#makeRoom();
    this.#put(key, row);
    this.#journal?.siteChanged(row, row.count);
  }

  #makeRoom(): void {
    const isFlooded = this.#slight.size > this.#rows.maxEntries * SLIGHT_SHARE;
    const evicted = (isFlooded ? this.#slight : this.#rows).oldest();
    if (evicted === undefined) return;
    this.#rows.delete(rowKey(evicted.count));
    this.#evictions++;
    this.#removed(evicted);
  }

  #put(key: string, row: SiteRow): void {
    const site = siteKey(row.count);
    this.#sites.set(site, (this.#sites.get(site) ?? 0) + 1);
    this.#rows.set(key, row);
    this.#weigh(key, row);
  }

  #weigh(key: string, row: SiteRow): void {
    if (isSlight(row.count)) this.#slight.set(key, row);
    else this.#slight.delete(key);
  }

  #removed(row: SiteRow): void {
    const site = siteKey(row.count);
    this.#slight.delete(rowKey(row.count));
    const left = (this.#sites.get(site) ?? 0) - 1;
    if (left > 0) this.#sites.set(site, left);
    else this.#sites.delete(site);
    const { id } = row;
    row.id = GONE;
    this.#journal?.siteGone(row, id);
  }
}

/** Whether nothing came of a row yet: only refused, or not allowed and not seen again. */
function isSlight({ actions }: SiteCount): boolean {
  return actions.allow === 0 && (actions['would-deny'] === 0 || actions['would-deny'] + actions.deny === 1);
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
