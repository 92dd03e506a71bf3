import type { RuleStatus } from '../observe/rule-hits.ts';
import type { Site } from '../observe/sites.ts';
import type { Mode } from '../policy/decision.ts';
import type { Explanation } from '../policy/explain.ts';
import type { PolicyQuery } from '../policy/policy.ts';

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

export type ExplainQuestion = Pick<PolicyQuery, 'hostname' | 'port' | 'source'>;

/** What the admin HTTP asks of the daemon. */
export interface DaemonApi {
  isReady(): boolean;
  status(): Status;
  sites(): Site[];
  /** In the order of the policy; decoded one by one as they are taken. */
  rules(): Iterable<RuleStatus>;
  explain(request: ExplainQuestion): Promise<Explanation>;
  reload(trigger: string): Promise<ReloadOutcome>;
  metrics(): Promise<{ contentType: string; body: string }>;
  /** A request failed by a fault of ours. */
  reportFault(request: string, error: Error): void;
}
