import { RuleHits } from './rule-hits.ts';
import { Sites, type SitesOptions } from './sites.ts';
import { WatchedHours } from './watched-hours.ts';

/** What was learnt of the traffic: sites, rule hits, and the hours in which it was watched. */
export class Discovery {
  readonly sites: Sites;
  readonly ruleHits = new RuleHits();
  readonly hours = new WatchedHours();
  #sinceMs: number;

  constructor(options: SitesOptions, nowMs: number) {
    this.sites = new Sites(options);
    this.#sinceMs = nowMs;
    this.hours.mark(nowMs);
  }

  /** From when on it counts, epoch milliseconds. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** Once a minute or so. */
  tick(nowMs: number): void {
    this.hours.mark(nowMs);
    this.sites.prune(nowMs);
  }

  /** Forgets everything; returns how many sites that were. */
  reset(nowMs: number): number {
    const dropped = this.sites.clear();
    this.ruleHits.clear();
    this.hours.clear();
    this.#sinceMs = nowMs;
    this.hours.mark(nowMs);
    return dropped;
  }
}
