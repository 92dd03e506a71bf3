import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { TokenFile } from '../../src/admin/bearer-token.ts';
import type {
  DaemonApi,
  DiscoveryReset,
  ExplainQuestion,
  ReloadOutcome,
  Status,
} from '../../src/admin/daemon-api.ts';
import type {
  ChangeOutcome,
  ChangeReport,
  ChangeRequest,
  PolicyChanges,
} from '../../src/admin/policy-changes.ts';
import type { RequestGuardOptions } from '../../src/admin/request-guard.ts';
import type { DaemonConfig } from '../../src/config/daemon-config.ts';
import type { PolicyChange } from '../../src/config/plan-change.ts';
import type { AuditEntry } from '../../src/observe/audit.ts';
import { LiveTail } from '../../src/observe/live-tail.ts';
import {
  READINESS_DEFAULTS,
  type Readiness,
  type ReadinessThresholds,
  type ReadinessVerdict,
} from '../../src/observe/readiness.ts';
import type { RuleStatus } from '../../src/observe/rule-hits.ts';
import type { Site, SiteFilter, SourceSite } from '../../src/observe/site-query.ts';
import type { TrendPoint } from '../../src/observe/trend.ts';
import { Cidr } from '../../src/policy/address.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { type Explanation, explain } from '../../src/policy/explain.ts';
import { Policy } from '../../src/policy/policy.ts';
import { SourceGroups } from '../../src/policy/source-groups.ts';
import { policyOf, rule } from '../policy/reference.ts';

/** How requests are guarded where nothing is said: on loopback, without a token. */
export const GUARD: RequestGuardOptions = {
  isLoopback: true,
  hostnames: [],
  token: null,
  tokenFor: 'changes',
};

/** An admin address of its own. */
export const ADMIN = {
  host: '127.0.0.1',
  port: 0,
  tokenFile: null,
  tokenFor: 'changes',
  hostnames: [],
} as const satisfies DaemonConfig['admin'];

/** The token in a file that goes away with the test. */
export function tokenOf(token: string): TokenFile {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-token-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'token');
  writeFileSync(file, token);
  return new TokenFile(file, () => {});
}

export const STATUS: Status = {
  version: '9.9.9',
  gateway: 'gw-1',
  pid: 42,
  startedMs: Date.UTC(2026, 0, 1),
  state: 'ready',
  dataplane: { kind: 'epoll', workers: 2, flowLimit: 1_000 },
  listeners: [{ name: 'proxy', kind: 'explicit', address: '127.0.0.1:3128', openFlows: 3 }],
  policy: {
    path: '/etc/policy.yaml',
    sha256: '5a'.repeat(32),
    mode: 'observe',
    observeUntilMs: null,
    rules: 1,
    loadedMs: Date.UTC(2026, 0, 1),
    lastReloadErrors: [],
  },
  bytes: { out: 10, in: 20 },
  sites: 1,
  siteStore: null,
  logLinesDropped: 0,
};

const FACTS = {
  host: 'a.example',
  protocol: 'tcp',
  port: 443,
  firstSeenMs: Date.UTC(2026, 0, 1),
  lastSeenMs: Date.UTC(2026, 0, 2),
  flows: 3,
  states: { MATCHED: 1, NO_MATCH: 2, DENIED: 0 },
  actions: { allow: 1, deny: 0, 'would-deny': 2 },
  reasons: { not_allowed: 2 },
  ech: 1,
  mismatches: 0,
  spoke: ['tls', 'connect'],
  lastRule: 'allowed',
  bytesOut: 1,
  bytesIn: 2,
} as const;

export const SITE: Site = { ...FACTS, sources: 2 };

export const SOURCE_SITES: readonly SourceSite[] = [
  { ...FACTS, source: '10.12.4.21', groups: ['build'] },
  { ...FACTS, source: '10.9.9.9', groups: [] },
];

export const RULE: RuleStatus = {
  name: 'allowed',
  action: 'allow',
  place: 'policy.yaml:2',
  sinceMs: Date.UTC(2026, 0, 1),
  hits: 7,
  firstMs: 1,
  lastMs: Date.UTC(2026, 0, 2),
};

export const READINESS: Readiness = {
  verdict: 'ready',
  reasons: [],
  sources: [],
  rulesNeverHit: { count: 1, names: ['unused'] },
  sinceMs: Date.UTC(2026, 0, 1),
  thresholds: READINESS_DEFAULTS,
};

export const REPORT: ChangeReport = {
  before: 'be'.repeat(32),
  after: 'af'.repeat(32),
  diff: '--- policy.yaml\n+++ policy.yaml\n@@ -1 +1 @@\n-mode: observe\n+mode: enforce\n',
  changes: ['mode observe -> enforce'],
  notes: [],
  warnings: [],
};

const PARSED = policyOf([rule('allowed', ['a.example'])]);
const POLICY = Policy.from(compilePolicy(PARSED));

/** Answers each change with `outcome`, and notes what was asked. */
class FakeChanges implements PolicyChanges {
  outcome: ChangeOutcome = { ...REPORT, result: 'unchanged' };
  readonly asked: { readonly change: PolicyChange; readonly request: ChangeRequest }[] = [];
  texts: Awaited<ReturnType<PolicyChanges['read']>> = { ok: false, error: 'policy.yaml:1:1: does not exist' };

  async change(change: PolicyChange, request: ChangeRequest): Promise<ChangeOutcome> {
    this.asked.push({ change, request });
    return this.outcome;
  }

  async read(): ReturnType<PolicyChanges['read']> {
    return this.texts;
  }
}

/** A daemon that answers what its fields say and notes what it was asked. */
export class FakeDaemon implements DaemonApi {
  readonly changes = new FakeChanges();
  readonly audited: AuditEntry[] = [];
  readonly audit = { record: (entry: AuditEntry) => void this.audited.push(entry) };
  current: Status = STATUS;
  outcome: ReloadOutcome = { result: 'success', policy: STATUS.policy, warnings: [] };
  readonly reloads: string[] = [];
  readonly questions: string[] = [];
  metricsFault: Error | null = null;

  healthy = true;

  isHealthy(): boolean {
    return this.healthy;
  }

  isReady(): boolean {
    return this.current.state === 'ready';
  }

  status(): Status {
    return this.current;
  }

  /** What sites were asked for. */
  readonly filters: SiteFilter[] = [];

  sites(filter: SiteFilter): Site[] {
    this.filters.push(filter);
    return [SITE];
  }

  sourceSites(filter: SiteFilter): SourceSite[] {
    this.filters.push(filter);
    return [...SOURCE_SITES];
  }

  sourceGroups(): SourceGroups {
    const cidr = Cidr.parse('10.12.4.0/24');
    if (cidr === null) throw new Error('no block');
    return new SourceGroups([{ name: 'build', cidrs: [cidr] }]);
  }

  /** What successors asked for: sockets at a path, or that it retires. */
  readonly handOvers: string[] = [];

  async pass(path: string): Promise<{ ok: true } | { ok: false; error: string }> {
    this.handOvers.push(path);
    return path === '@here' ? { ok: true } : { ok: false, error: 'nobody waits there' };
  }

  retire(key: string): boolean {
    this.handOvers.push(key);
    return key === 'the key';
  }

  verdict: ReadinessVerdict = 'ready';
  readonly thresholds: ReadinessThresholds[] = [];

  async readiness(thresholds: ReadinessThresholds): Promise<Readiness> {
    this.thresholds.push(thresholds);
    return { ...READINESS, verdict: this.verdict, thresholds };
  }

  readonly trends: unknown[] = [];

  async trend(...question: readonly unknown[]): Promise<TrendPoint[]> {
    this.trends.push(question);
    return [{ timeMs: 60_000, flows: 1, dropped: 0, bytesOut: 2, bytesIn: 3 }];
  }

  resets = 0;

  resetDiscovery(): DiscoveryReset {
    this.resets++;
    return { dropped: 7, sinceMs: 1 };
  }

  hits: RuleStatus = RULE;

  rules(): Iterable<RuleStatus> {
    return [this.hits];
  }

  async explain(question: ExplainQuestion): Promise<Explanation> {
    this.questions.push(`${question.hostname ?? question.address}:${question.port} from ${question.source}`);
    return explain(POLICY, { ...question, nowMs: 0 });
  }

  async reload(trigger: string): Promise<ReloadOutcome> {
    this.reloads.push(trigger);
    return this.outcome;
  }

  readonly faults: string[] = [];
  readonly tokenFaults: string[] = [];

  reportTokenFile(fault: string): void {
    this.tokenFaults.push(fault);
  }

  reportFault(request: string, error: Error): void {
    this.faults.push(`${request}: ${error.message}`);
  }

  tail: LiveTail | null = new LiveTail();

  liveTail(): LiveTail | null {
    return this.tail;
  }

  async metrics(): Promise<{ contentType: string; body: string }> {
    if (this.metricsFault !== null) throw this.metricsFault;
    return { contentType: 'text/plain; version=0.0.4; charset=utf-8', body: 'sallyport_sites 1\n' };
  }
}
