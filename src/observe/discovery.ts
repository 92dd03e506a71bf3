import type { SiteCount } from './flow-tally.ts';
import { RuleHits, type RuleJournal } from './rule-hits.ts';
import { HOURS, MINUTES } from './series-options.ts';
import { SiteSeries } from './site-series.ts';
import { type SiteJournal, type SiteRow, Sites, type SitesOptions } from './sites.ts';
import { type TrendFilter, type TrendPoint, trendOf, trendRows } from './trend.ts';
import { WatchedHours } from './watched-hours.ts';

/** Hears of all that changes. */
export interface DiscoveryJournal extends Omit<SiteJournal, 'siteChanged'>, RuleJournal {
  siteChanged(row: SiteRow): void;
  hourWatched(hour: number): void;
  /** All is forgotten; what is followed anew is told after this. */
  cleared(): void;
}

export type TrendStep = 'minute' | 'hour';

/**
 * What was learnt of the traffic: sites, what they did over time, rule hits, and the hours in which it was watched. It
 * is held in memory; a journal may keep it beyond this process, and then takes the series as far as it has kept them.
 */
export class Discovery implements SiteJournal {
  readonly sites: Sites;
  readonly ruleHits = new RuleHits();
  readonly hours = new WatchedHours();
  readonly series: Readonly<Record<TrendStep, SiteSeries>> = {
    minute: new SiteSeries(MINUTES),
    hour: new SiteSeries(HOURS),
  };
  #journal: DiscoveryJournal | null = null;
  #sinceMs: number;

  constructor(options: SitesOptions, nowMs: number) {
    this.sites = new Sites(options, this);
    this.#sinceMs = nowMs;
    this.hours.mark(nowMs);
  }

  /** From when on it counts, epoch milliseconds. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** Tells `journal` of all changes from now on. */
  tell(journal: DiscoveryJournal): void {
    this.#journal = journal;
    this.ruleHits.tell(journal);
  }

  /** It has counted before this process. */
  countsSince(timeMs: number): void {
    this.#sinceMs = Math.min(this.#sinceMs, timeMs);
  }

  /** Once a minute or so. */
  tick(nowMs: number): void {
    const hour = this.hours.mark(nowMs);
    if (hour !== null) this.#journal?.hourWatched(hour);
    this.sites.prune(nowMs);
    for (const series of [this.series.minute, this.series.hour]) series.prune(nowMs);
  }

  /** Forgets everything, and counts anew; returns how many sites that were. */
  reset(nowMs: number): number {
    this.#journal?.cleared();
    const dropped = this.sites.clear();
    for (const series of [this.series.minute, this.series.hour]) series.clear();
    this.hours.clear();
    this.#sinceMs = nowMs;
    this.ruleHits.reset(nowMs);
    this.tick(nowMs);
    return dropped;
  }

  /** What is held here of the sums over time, from the step of `sinceMs` on. */
  trend(step: TrendStep, filter: TrendFilter, sinceMs: number): TrendPoint[] {
    return trendOf([this.series[step]], trendRows(this.sites.rows(), filter), sinceMs);
  }

  siteChanged(row: SiteRow, more: SiteCount): void {
    this.series.minute.add(row, more);
    this.series.hour.add(row, more);
    this.#journal?.siteChanged(row);
  }

  siteGone(row: SiteRow, id: number): void {
    this.series.minute.forget(row);
    this.series.hour.forget(row);
    this.#journal?.siteGone(row, id);
  }
}
