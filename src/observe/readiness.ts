import { IpAddress } from '../policy/address.ts';
import type { Policy } from '../policy/policy.ts';
import type { Reason } from '../policy/reason.ts';
import type { SourceGroups } from '../policy/source-groups.ts';
import type { RuleStatus } from './rule-hits.ts';
import { flowsOf, mismatchesOf } from './site-query.ts';
import { type SiteRow, siteKey } from './sites.ts';
import { calendarOf } from './watched-hours.ts';
import { wouldDrop } from './would-drop.ts';

/** What must hold before a source is ready to be enforced. */
export interface ReadinessThresholds {
  /** Days watched at least, counted in hours. */
  readonly minDays: number;
  /** Hours since the last new site at least. */
  readonly quietHours: number;
  /** Flows that enforce would drop at most. */
  readonly maxDrops: number;
  /** What must lie inside the watched time; `month-end` asks for a weekend too. */
  readonly calendar: 'none' | 'weekend' | 'month-end';
}

export const READINESS_DEFAULTS: ReadinessThresholds = {
  minDays: 14,
  quietHours: 24,
  maxDrops: 0,
  calendar: 'weekend',
};

/** `no traffic`: nothing was seen, so nothing can be said. */
export type ReadinessVerdict = 'ready' | 'not ready' | 'no traffic';

/** A site that enforce would cut off. */
export interface DroppedSite {
  readonly host: string;
  readonly port: number;
  readonly flows: number;
  /** What speaks against them. */
  readonly reason: Reason;
  /** Epoch milliseconds. */
  readonly lastSeenMs: number;
}

/** One source group, or all sources in no group together. Times are epoch milliseconds, null before any flow. */
export interface SourceReadiness {
  /** The group's name; `(other)` for the sources in none. A source in several groups counts in each. */
  readonly source: string;
  readonly verdict: ReadinessVerdict;
  /** Why it is not ready; empty when it is. */
  readonly reasons: readonly string[];
  readonly addresses: number;
  readonly sites: number;
  readonly flows: number;
  readonly firstSeenMs: number | null;
  readonly lastSeenMs: number | null;
  /** Watched since the first flow, in days of 24 hours watched. */
  readonly daysWatched: number;
  readonly hasWeekend: boolean;
  readonly hasMonthEnd: boolean;
  readonly hoursSinceNewSite: number | null;
  /** What enforce would drop of what was seen, by the rules of now. */
  readonly drops: {
    readonly flows: number;
    readonly sites: number;
    /** Those with the most flows. */
    readonly top: readonly DroppedSite[];
  };
  /** Flows whose hello carried Encrypted Client Hello. */
  readonly ech: number;
  readonly mismatches: number;
}

export interface Readiness {
  /** `not ready` when one source is not; `no traffic` when none has any. */
  readonly verdict: ReadinessVerdict;
  /** What holds for all sources and is not ready; empty when nothing is. */
  readonly reasons: readonly string[];
  readonly sources: readonly SourceReadiness[];
  /** No reason against enforcing, but a rule too many perhaps. `names` holds the first of them. */
  readonly rulesNeverHit: { readonly count: number; readonly names: readonly string[] };
  /** From when on sites and hits are counted, epoch milliseconds. */
  readonly sinceMs: number;
  readonly thresholds: ReadinessThresholds;
}

export interface ReadinessInput {
  /** Epoch milliseconds. */
  readonly nowMs: number;
  readonly thresholds: ReadinessThresholds;
  readonly rows: readonly SiteRow[];
  /** Rows that the table had no room for: what they were is not known. */
  readonly evictions: number;
  /** Watched hours since the epoch, from the hour of a time on. */
  readonly watchedSince: (timeMs: number) => readonly number[];
  readonly policy: Policy;
  readonly groups: SourceGroups;
  readonly rules: Iterable<RuleStatus>;
  /** From when on sites and hits are counted, epoch milliseconds. */
  readonly sinceMs: number;
}

const OTHER_SOURCES = '(other)';
const TOP_SITES = 20;
const NAMED_RULES = 100;
const HOUR_MS = 3_600_000;

/** Says whether sources are ready to be enforced. It yields between rows and rules, of which there may be many. */
export function* assessReadiness(input: ReadinessInput): Generator<undefined, Readiness> {
  const sources = yield* assessSources(input);
  const { evictions, thresholds, sinceMs } = input;
  const reasons =
    evictions === 0
      ? []
      : [`the table of sites was full: ${evictions} entries were forgotten (raise sites.maxSites)`];
  const rulesNeverHit = yield* rulesWithoutHits(input.rules);
  return { verdict: verdictOf(sources, reasons), reasons, sources, rulesNeverHit, sinceMs, thresholds };
}

function* assessSources(input: ReadinessInput): Generator<undefined, SourceReadiness[]> {
  const { rows, policy, groups, nowMs } = input;
  const bySource = new Map(groups.names.map(name => [name, new SourceSums()]));
  for (const row of rows) {
    yield;
    const address = IpAddress.parse(row.count.source);
    const names = address === null ? [] : groups.of(address);
    for (const name of names.length === 0 ? [OTHER_SOURCES] : names) {
      const sums = bySource.get(name) ?? new SourceSums();
      bySource.set(name, sums);
      sums.add(row, policy, nowMs);
    }
  }
  return [...bySource].map(([name, sums]) => sums.assess(name, input));
}

function* rulesWithoutHits(rules: Iterable<RuleStatus>): Generator<undefined, Readiness['rulesNeverHit']> {
  let count = 0;
  const names: string[] = [];
  for (const { name, hits } of rules) {
    yield;
    if (hits === 0 && ++count <= NAMED_RULES) names.push(name);
  }
  return { count, names };
}

function verdictOf(sources: readonly SourceReadiness[], reasons: readonly string[]): ReadinessVerdict {
  if (sources.every(({ verdict }) => verdict === 'no traffic')) return 'no traffic';
  const isReady = reasons.length === 0 && sources.every(({ verdict }) => verdict !== 'not ready');
  return isReady ? 'ready' : 'not ready';
}

interface SiteSums {
  firstSeenMs: number;
  lastSeenMs: number;
  dropped: number;
  reason: Reason | null;
}

/** What the sources of one group did. */
class SourceSums {
  readonly #addresses = new Set<string>();
  readonly #sites = new Map<string, SiteSums & { readonly host: string; readonly port: number }>();
  #flows = 0;
  #ech = 0;
  #mismatches = 0;

  add({ count }: SiteRow, policy: Policy, nowMs: number): void {
    this.#addresses.add(count.source);
    this.#flows += flowsOf(count);
    this.#ech += count.ech;
    this.#mismatches += mismatchesOf(count);
    const { host, port, firstSeenMs, lastSeenMs } = count;
    const drop = wouldDrop(count, policy, nowMs);
    const key = siteKey(count);
    const site = this.#sites.get(key) ?? { host, port, firstSeenMs, lastSeenMs, dropped: 0, reason: null };
    this.#sites.set(key, site);
    site.firstSeenMs = Math.min(site.firstSeenMs, firstSeenMs);
    site.lastSeenMs = Math.max(site.lastSeenMs, lastSeenMs);
    site.dropped += drop?.flows ?? 0;
    site.reason ??= drop?.reason ?? null;
  }

  assess(source: string, { nowMs, thresholds, watchedSince }: ReadinessInput): SourceReadiness {
    const sites = [...this.#sites.values()];
    const firstSeenMs = least(sites.map(site => site.firstSeenMs));
    const newestMs = most(sites.map(site => site.firstSeenMs));
    const { days, hasWeekend, hasMonthEnd } = calendarOf(
      firstSeenMs === null ? [] : watchedSince(firstSeenMs),
    );
    const dropped = droppedSites(sites);
    const facts = {
      source,
      addresses: this.#addresses.size,
      sites: sites.length,
      flows: this.#flows,
      firstSeenMs,
      lastSeenMs: most(sites.map(site => site.lastSeenMs)),
      daysWatched: days,
      hasWeekend,
      hasMonthEnd,
      // A clock that was set back is no reason to wait longer than for a new site.
      hoursSinceNewSite: newestMs === null ? null : Math.max(0, (nowMs - newestMs) / HOUR_MS),
      drops: {
        flows: dropped.reduce((sum, { flows }) => sum + flows, 0),
        sites: dropped.length,
        top: dropped.slice(0, TOP_SITES),
      },
      ech: this.#ech,
      mismatches: this.#mismatches,
    };
    if (sites.length === 0) return { ...facts, verdict: 'no traffic', reasons: [] };
    const reasons = reasonsAgainst(facts, thresholds);
    return { ...facts, verdict: reasons.length === 0 ? 'ready' : 'not ready', reasons };
  }
}

function reasonsAgainst(
  facts: Omit<SourceReadiness, 'verdict' | 'reasons'>,
  { minDays, quietHours, maxDrops, calendar }: ReadinessThresholds,
): string[] {
  const reasons: string[] = [];
  const { daysWatched, hoursSinceNewSite, drops } = facts;
  if (daysWatched < minDays) {
    reasons.push(`watched for ${daysWatched.toFixed(1)} days of ${minDays}`);
  }
  if (calendar !== 'none' && !facts.hasWeekend) reasons.push('no weekend was watched');
  if (calendar === 'month-end' && !facts.hasMonthEnd) reasons.push('no month end was watched');
  if (hoursSinceNewSite !== null && hoursSinceNewSite < quietHours) {
    reasons.push(`a new site was seen ${hoursSinceNewSite.toFixed(1)} hours ago (quiet: ${quietHours})`);
  }
  if (drops.flows > maxDrops) {
    const limit = maxDrops === 0 ? '' : `, more than ${maxDrops}`;
    reasons.push(`enforce would drop ${drops.flows} flows to ${drops.sites} sites${limit}`);
  }
  return reasons;
}

function droppedSites(
  sites: readonly (SiteSums & { readonly host: string; readonly port: number })[],
): DroppedSite[] {
  return sites
    .flatMap(({ host, port, dropped, reason, lastSeenMs }) =>
      reason === null ? [] : [{ host, port, flows: dropped, reason, lastSeenMs }],
    )
    .sort((a, b) => b.flows - a.flows);
}

function least(values: readonly number[]): number | null {
  return values.reduce<number | null>(
    (least, value) => (least === null ? value : Math.min(least, value)),
    null,
  );
}

function most(values: readonly number[]): number | null {
  return values.reduce<number | null>((most, value) => (most === null ? value : Math.max(most, value)), null);
}
