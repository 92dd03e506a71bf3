import type { DiscoveryReset } from '../admin/daemon-api.ts';
import type { SitesConfig } from '../config/daemon-config.ts';
import { Discovery, type TrendStep } from '../observe/discovery.ts';
import type { Log } from '../observe/log.ts';
import { assessReadiness, type Readiness, type ReadinessThresholds } from '../observe/readiness.ts';
import type { HitCount, RuleStatus } from '../observe/rule-hits.ts';
import {
  listSites,
  listSourceSites,
  type Site,
  type SiteFilter,
  type SourceSite,
} from '../observe/site-query.ts';
import { SiteStore, type StoreStatus } from '../observe/store/site-store.ts';
import type { TrendFilter, TrendPoint } from '../observe/trend.ts';
import type { Policy } from '../policy/policy.ts';
import { RuleBook } from '../policy/rule-book.ts';
import { SourceGroups } from '../policy/source-groups.ts';
import { keeperProcess } from './keeper-process.ts';
import { inSlices } from './slices.ts';

/** How often discovery notes that it watches, and forgets what is too old. */
const TICK_MS = 60_000;
/** How long the start waits for what was kept; a disk that takes longer is taken in later. */
const OPEN_MS = 2_000;
/** How long the end waits for what is not kept yet. */
const CLOSE_MS = 3_000;

/** What was learnt of the traffic, where it is kept, and the questions about it. */
export class DiscoveryService {
  readonly discovery: Discovery;
  readonly #config: SitesConfig;
  readonly #log: Log;
  readonly #policy: () => Policy;
  #store: SiteStore | null = null;
  #ticker: NodeJS.Timeout | undefined;

  constructor(config: SitesConfig, log: Log, policy: () => Policy) {
    this.#config = config;
    this.#log = log;
    this.#policy = policy;
    this.discovery = new Discovery(config, Date.now());
  }

  /** Null: sites are held in memory only. */
  get storeStatus(): StoreStatus | null {
    return this.#store?.status ?? null;
  }

  /** Takes in what was kept before this process, where it is kept. */
  async start(): Promise<void> {
    this.#ticker = setInterval(() => this.discovery.tick(Date.now()), TICK_MS).unref();
    const { storePath, maxSites } = this.#config;
    if (storePath !== null) {
      this.#store = new SiteStore({
        path: storePath,
        maxSites,
        discovery: this.discovery,
        log: this.#log,
        onOpened: () => void this.followRules(),
        connect: hear => keeperProcess(storePath, hear),
      });
      await this.#store.ready(OPEN_MS);
    }
    await this.followRules();
  }

  async close(): Promise<void> {
    clearInterval(this.#ticker);
    await this.#store?.close(CLOSE_MS);
  }

  /** Counts the rules of the policy in force, and forgets others. */
  followRules(): Promise<void> {
    return inSlices(followRules(this.discovery, this.#policy()));
  }

  sites(filter: SiteFilter): Site[] {
    return listSites(this.discovery.sites.rows(), filter);
  }

  sourceSites(filter: SiteFilter): SourceSite[] {
    return listSourceSites(this.discovery.sites.rows(), filter, this.sourceGroups());
  }

  sourceGroups(): SourceGroups {
    return new SourceGroups(new RuleBook(this.#policy()).groups());
  }

  async trend(step: TrendStep, filter: TrendFilter, sinceMs: number): Promise<TrendPoint[]> {
    return this.#store?.trend(step, filter, sinceMs) ?? this.discovery.trend(step, filter, sinceMs);
  }

  *rules(): Generator<RuleStatus> {
    const book = new RuleBook(this.#policy());
    const uncounted: HitCount = { sinceMs: Date.now(), hits: 0, firstMs: null, lastMs: null };
    for (let rule = 0; rule < book.ruleCount; rule++) {
      if (book.isPart(rule)) continue;
      const name = book.name(rule);
      const { file, line } = book.location(rule);
      const hits = this.discovery.ruleHits.of(name) ?? uncounted;
      yield { name, action: book.action(rule), place: `${file}:${line}`, ...hits };
    }
  }

  readiness(thresholds: ReadinessThresholds): Promise<Readiness> {
    const { sites, hours, sinceMs } = this.discovery;
    return inSlices(
      assessReadiness({
        nowMs: Date.now(),
        thresholds,
        rows: sites.rows(),
        evictions: sites.evictions,
        watchedSince: timeMs => hours.since(timeMs),
        policy: this.#policy(),
        groups: this.sourceGroups(),
        rules: this.rules(),
        sinceMs,
      }),
    );
  }

  reset(): DiscoveryReset {
    const dropped = this.discovery.reset(Date.now());
    this.#log.info(`discovery reset: ${dropped} sites forgotten`, {
      event: 'discovery_reset',
      sites: dropped,
    });
    return { dropped, sinceMs: this.discovery.sinceMs };
  }
}

function* followRules({ ruleHits }: Discovery, policy: Policy): Generator<undefined, void> {
  const book = new RuleBook(policy);
  const nowMs = Date.now();
  for (let rule = 0; rule < book.ruleCount; rule++) {
    yield;
    if (!book.isPart(rule)) ruleHits.follow(book.name(rule), nowMs);
  }
  for (const name of ruleHits.names()) {
    yield;
    if (book.ruleNamed(name) < 0) ruleHits.forget(name);
  }
}
