import type { AuditTrail } from '../observe/audit.ts';
import type { TrendStep } from '../observe/discovery.ts';
import type { LiveTail } from '../observe/live-tail.ts';
import type { Readiness, ReadinessThresholds } from '../observe/readiness.ts';
import type { RuleStatus } from '../observe/rule-hits.ts';
import type { Site, SiteFilter, SourceSite } from '../observe/site-query.ts';
import type { StoreStatus } from '../observe/store/site-store.ts';
import type { TrendFilter, TrendPoint } from '../observe/trend.ts';
import type { Mode } from '../policy/decision.ts';
import type { Explanation } from '../policy/explain.ts';
import type { TcpQuery } from '../policy/policy.ts';
import type { SourceGroups } from '../policy/source-groups.ts';
import type { HandOver } from './hand-over-routes.ts';
import type { PolicyChanges } from './policy-changes.ts';

/** What `status` shows. Times are epoch milliseconds. */
export interface Status {
  readonly version: string;
  readonly gateway: string;
  readonly pid: number;
  readonly startedMs: number;
  readonly state: 'starting' | 'ready' | 'draining';
  readonly dataplane: { readonly kind: string; readonly workers: number; readonly flowLimit: number };
  readonly listeners: readonly {
    readonly name: string;
    readonly kind: string;
    readonly address: string;
    readonly openFlows: number;
  }[];
  readonly policy: PolicyStatus;
  readonly bytes: { readonly out: number; readonly in: number };
  readonly sites: number;
  /** Where sites are kept; null: in memory only. */
  readonly siteStore: StoreStatus | null;
  readonly logLinesDropped: number;
}

export interface PolicyStatus {
  readonly path: string;
  readonly sha256: string;
  /** The mode in force now: `enforce` once `observeUntil` has passed. */
  readonly mode: Mode;
  readonly observeUntilMs: number | null;
  readonly rules: number;
  readonly loadedMs: number;
  /** Why the last reload did not change the policy; empty when it did. */
  readonly lastReloadErrors: readonly string[];
}

export type ReloadOutcome =
  | {
      readonly result: 'success' | 'unchanged';
      readonly policy: PolicyStatus;
      readonly warnings: readonly string[];
    }
  /** The running policy stays. One line a diagnostic: `file:line:col: …`. */
  | { readonly result: 'failure'; readonly policy: PolicyStatus; readonly errors: readonly string[] };

/** What `GET /api/v1/sites` answers. */
export interface SitesPage<S> {
  readonly gateway: string;
  /** Sites that pass the filter; `limit` may have left some out of `sites`. */
  readonly total: number;
  readonly sites: readonly S[];
}

/** What `POST /api/v1/sites/reset` answers. */
export interface DiscoveryReset {
  /** Sites that were forgotten. */
  readonly dropped: number;
  /** From when on sites and hits are counted now, epoch milliseconds. */
  readonly sinceMs: number;
}

export type ExplainQuestion = Omit<TcpQuery, 'nowMs'>;

/** What the admin HTTP asks of the daemon. */
export interface DaemonApi extends HandOver {
  readonly changes: PolicyChanges;
  readonly audit: Pick<AuditTrail, 'record'>;
  /** Whether flows are served, or will be in a moment: one worker is enough. */
  isHealthy(): boolean;
  isReady(): boolean;
  status(): Status;
  /** The visited sites that pass the filter, in the order first seen. */
  sites(filter: SiteFilter): Site[];
  /** The same, for each source apart. */
  sourceSites(filter: SiteFilter): SourceSite[];
  /** Of the running policy. */
  sourceGroups(): SourceGroups;
  /** Whether enforcing would drop what was seen, and whether enough was seen to tell. */
  readiness(thresholds: ReadinessThresholds): Promise<Readiness>;
  /** What flows did over time, in the order of time. */
  trend(step: TrendStep, filter: TrendFilter, sinceMs: number): Promise<TrendPoint[]>;
  /** Forgets sites and rule hits. */
  resetDiscovery(): DiscoveryReset;
  /** In the order of the policy; decoded one by one as they are taken. */
  rules(): Iterable<RuleStatus>;
  explain(request: ExplainQuestion): Promise<Explanation>;
  reload(trigger: string): Promise<ReloadOutcome>;
  /** The records of flows as they are written; null: the log level leaves them out. */
  liveTail(): LiveTail | null;
  metrics(): Promise<{ contentType: string; body: string }>;
  /** A request failed by a fault of ours. */
  reportFault(request: string, error: Error): void;
  /** Something is amiss with `admin.tokenFile`. */
  reportTokenFile(fault: string): void;
}
