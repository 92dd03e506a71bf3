import type { Discovery } from '../discovery.ts';
import type { SiteSeries } from '../site-series.ts';
import { GONE, type SiteRow } from '../sites.ts';
import type { StoreBatch } from './messages.ts';
import { siteValues } from './site-columns.ts';

/** So many rows, and points, make a batch: encoding one holds up the main thread for a few milliseconds. */
const BATCH_ROWS = 1_000;

/** What a batch took, to be put back when it could not be kept. */
export interface Taken {
  readonly batch: StoreBatch;
  readonly rows: readonly SiteRow[];
  readonly gone: readonly number[];
  readonly minutes: SiteSeries;
  readonly hours: SiteSeries;
  readonly rules: readonly string[];
  readonly rulesGone: readonly string[];
  readonly watched: readonly number[];
}

/** What has changed and is not kept yet. It grows no further than what is counted. */
export class Pending {
  readonly rows = new Set<SiteRow>();
  readonly gone = new Set<number>();
  readonly rules = new Set<string>();
  readonly rulesGone = new Set<string>();
  readonly watched = new Set<number>();
  isCleared = false;
  /** Beyond any id that was given: ids are given when a row is first kept, and never twice. */
  nextId = 1;
  readonly #discovery: Discovery;

  constructor(discovery: Discovery) {
    this.#discovery = discovery;
  }

  get isEmpty(): boolean {
    const { minute, hour } = this.#discovery.series;
    const waiting =
      this.rows.size + this.gone.size + this.rules.size + this.rulesGone.size + this.watched.size;
    return waiting + minute.size + hour.size === 0 && !this.isCleared;
  }

  /** There is more than a batch takes. */
  get isBacklog(): boolean {
    return [this.rows, this.gone, this.rules, this.rulesGone].some(({ size }) => size >= BATCH_ROWS);
  }

  /** All that is counted has to be kept anew. */
  everything(): void {
    for (const row of this.#discovery.sites.rows()) this.rows.add(row);
    for (const name of this.#discovery.ruleHits.names()) this.rules.add(name);
    for (const hour of this.#discovery.hours.since(0)) this.watched.add(hour);
  }

  /** All that was kept, and all that waited to be, is to be forgotten. */
  clear(): void {
    for (const set of [this.rows, this.gone, this.rules, this.rulesGone, this.watched]) set.clear();
    this.isCleared = true;
  }

  /** Takes out as much as makes a batch. */
  take(nowMs: number): Taken {
    const { series, ruleHits, sinceMs } = this.#discovery;
    const minutes = series.minute.take(BATCH_ROWS);
    const hours = series.hour.take(BATCH_ROWS);
    const rows = takeFrom(this.rows);
    const rules = takeFrom(this.rules);
    const taken = {
      rows,
      minutes,
      hours,
      rules,
      gone: takeFrom(this.gone),
      rulesGone: takeFrom(this.rulesGone),
      watched: takeFrom(this.watched),
    };
    for (const row of rows) if (row.id === 0) row.id = this.nextId++;
    const batch: StoreBatch = {
      clear: this.isCleared,
      sites: JSON.stringify(rows.map(({ id, count }) => siteValues(id, count))),
      gone: JSON.stringify(taken.gone),
      minutes: this.#points(minutes),
      hours: this.#points(hours),
      rules: JSON.stringify(
        rules.flatMap(name => {
          const hits = ruleHits.of(name);
          return hits === undefined ? [] : [[name, hits.sinceMs, hits.hits, hits.firstMs, hits.lastMs]];
        }),
      ),
      rulesGone: JSON.stringify(taken.rulesGone),
      watched: JSON.stringify(taken.watched),
      sinceMs,
      nextId: this.nextId,
      nowMs,
    };
    this.isCleared = false;
    return { ...taken, batch };
  }

  /** Puts back what could not be kept, but for what has been forgotten since. */
  putBack({ batch, rows, gone, minutes, hours, rules, rulesGone, watched }: Taken): void {
    if (this.isCleared) return;
    this.isCleared = batch.clear;
    for (const row of rows) if (row.id !== GONE) this.rows.add(row);
    for (const id of gone) this.gone.add(id);
    this.#discovery.series.minute.absorb(minutes);
    this.#discovery.series.hour.absorb(hours);
    for (const name of rules) this.rules.add(name);
    for (const name of rulesGone) if (!this.rules.has(name)) this.rulesGone.add(name);
    for (const hour of watched) this.watched.add(hour);
  }

  #points(series: SiteSeries): string {
    const points: number[][] = [];
    for (const [step, row, { flows, dropped, bytesOut, bytesIn }] of series.entries()) {
      if (row.id === GONE) continue;
      if (row.id === 0) row.id = this.nextId++;
      points.push([step, row.id, flows, dropped, bytesOut, bytesIn]);
    }
    return JSON.stringify(points);
  }
}

function takeFrom<T>(set: Set<T>): T[] {
  const taken: T[] = [];
  for (const item of set) {
    if (taken.length === BATCH_ROWS) break;
    taken.push(item);
    set.delete(item);
  }
  return taken;
}
