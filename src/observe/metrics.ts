import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { DialFailure } from '../dataplane/events.ts';
import type { Mode } from '../policy/decision.ts';
import { isLimit, type LimitReason } from '../policy/reason.ts';
import { DIAL_BUCKETS, FLOW_BUCKETS, SNIFF_BUCKETS } from './buckets.ts';
import type { Tally } from './flow-tally.ts';
import { SummedHistogram } from './summed-histogram.ts';

/** Live values, read at each scrape. */
export interface MetricSources {
  /** Open flows by listener name. */
  readonly openFlows: () => Readonly<Record<string, number>>;
  /** Open flows whose hello or request has not come. */
  readonly undecidedFlows: () => number;
  /** Bytes relayed since the process started: client to upstream, and back. */
  readonly bytes: () => { readonly out: number; readonly in: number };
  readonly sites: () => { readonly size: number; readonly evictions: number };
  /** Null: sites are held in memory only. */
  readonly siteStore: () => { readonly state: 'opening' | 'open' | 'failing' } | null;
  /** Log lines lost since the process started. */
  readonly logDropped: () => number;
  /** The policy in force; its mode changes by itself when `observeUntil` passes. */
  readonly policy: () => { readonly sha256: string; readonly mode: Mode };
}

/** What may be refused for want of room. */
type Limit = (typeof LIMITS)[number];

/** Labels of `sallyport_task_info`. */
export interface TaskLabels {
  readonly task_arn: string;
  readonly family: string;
  readonly revision: string;
  readonly cluster: string;
  readonly container: string;
  readonly region: string;
}

export interface MetricsOptions {
  /** This program's version. */
  readonly version: string;
  readonly node?: string;
  /** The ECS task this process runs in. */
  readonly task?: TaskLabels;
  /** Epoch milliseconds. */
  readonly now?: () => number;
  /** Names of rules that get a series of their own; hits of further ones are counted as `_other`. */
  readonly maxRuleSeries?: number;
}

const DIAL_FAILURES = [
  'refused',
  'timeout',
  'unreachable',
  'other',
] as const satisfies readonly DialFailure[];
/** A hundred samples a second, as is usual, would wake an idle daemon a hundred times. Event loop lags are no less than this. */
const LAG_SAMPLING_MS = 50;
const LIMITS = [
  'flows',
  'flowsPerSource',
  'undecided',
  'undecidedPerSource',
  'lookupsPerSource',
  'descriptors',
] as const;
/** The limits that show in decisions, and are counted from them. */
const LIMIT_OF: Record<LimitReason, Limit> = {
  flow_limit: 'flows',
  source_limit: 'flowsPerSource',
  undecided_limit: 'undecided',
  undecided_source_limit: 'undecidedPerSource',
  dns_limit: 'lookupsPerSource',
};

/**
 * All metrics, in a registry of their own; with its histogram, the only place that knows prom-client. No label ever holds a hostname or
 * an address: their values come from the configuration and from closed lists.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #now: () => number;
  readonly #maxRuleSeries: number;
  readonly #rulesSeen = new Set<string>();
  #sources: Partial<MetricSources> = {};

  readonly #flows: Counter<'listener' | 'protocol' | 'action' | 'reason'>;
  readonly #ruleHits: Counter<'rule'>;
  readonly #sniffSeconds: SummedHistogram;
  readonly #dialSeconds: SummedHistogram;
  readonly #flowSeconds: SummedHistogram;
  readonly #dialFailures: Counter<'cause'>;
  readonly #lastReloadSuccessful: Gauge;
  readonly #lastReloadSuccess: Gauge;
  readonly #reloads: Counter<'result'>;
  readonly #limitRejections: Counter<'limit'>;
  readonly #logSuppressed: Counter;
  readonly #accepting: Gauge;
  readonly #workerRestarts: Counter;

  constructor({
    version,
    node = process.version,
    task,
    now = Date.now,
    maxRuleSeries = 2_000,
  }: MetricsOptions) {
    this.#now = now;
    this.#maxRuleSeries = maxRuleSeries;
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: LAG_SAMPLING_MS });

    new Gauge({
      name: 'sallyport_build_info',
      help: 'What runs here; always 1',
      labelNames: ['version', 'node'],
      registers,
    }).set({ version, node }, 1);
    if (task !== undefined) {
      new Gauge({
        name: 'sallyport_task_info',
        help: 'The ECS task this runs in; always 1',
        labelNames: Object.keys(task),
        registers,
      }).set({ ...task }, 1);
    }
    this.#flows = new Counter({
      name: 'sallyport_flows_total',
      help: 'Flows decided; reason is "none" for those plainly allowed',
      labelNames: ['listener', 'protocol', 'action', 'reason'],
      registers,
    });
    this.#ruleHits = new Counter({
      name: 'sallyport_rule_hits_total',
      help: 'Flows that a rule decided; rules past the first few thousand count as "_other"',
      labelNames: ['rule'],
      registers,
    });
    this.#sniffSeconds = new SummedHistogram({
      name: 'sallyport_sniff_seconds',
      help: 'From accept until the name was read',
      buckets: [...SNIFF_BUCKETS],
      registers,
    });
    this.#dialSeconds = new SummedHistogram({
      name: 'sallyport_dial_seconds',
      help: 'From the start of a dial until connected',
      buckets: [...DIAL_BUCKETS],
      registers,
    });
    this.#flowSeconds = new SummedHistogram({
      name: 'sallyport_flow_seconds',
      help: 'From accept to close',
      buckets: [...FLOW_BUCKETS],
      registers,
    });
    this.#dialFailures = new Counter({
      name: 'sallyport_dial_failures_total',
      help: 'Flows whose upstream could not be reached',
      labelNames: ['cause'],
      registers,
    });
    this.#lastReloadSuccessful = new Gauge({
      name: 'sallyport_config_last_reload_successful',
      help: 'Whether the last load of the policy succeeded',
      registers,
    });
    this.#lastReloadSuccess = new Gauge({
      name: 'sallyport_config_last_reload_success_timestamp_seconds',
      help: 'When the policy was last loaded',
      registers,
    });
    this.#reloads = new Counter({
      name: 'sallyport_reloads_total',
      help: 'Reloads of the policy',
      labelNames: ['result'],
      registers,
    });
    this.#logSuppressed = new Counter({
      name: 'sallyport_log_suppressed_total',
      help: 'Flow records left out because the same had just been said',
      registers,
    });
    this.#limitRejections = new Counter({
      name: 'sallyport_limit_rejections_total',
      help: 'Connections refused because a limit was reached',
      labelNames: ['limit'],
      registers,
    });
    this.#workerRestarts = new Counter({
      name: 'sallyport_worker_restarts_total',
      help: 'Data plane workers that died and were started again',
      registers,
    });
    this.#accepting = new Gauge({
      name: 'sallyport_accepting',
      help: 'Whether connections are accepted; 0 while nearly all descriptors are in use',
      registers,
    });
    this.#accepting.set(1);
    this.#registerSources();

    for (const cause of DIAL_FAILURES) this.#dialFailures.inc({ cause }, 0);
    for (const limit of LIMITS) this.#limitRejections.inc({ limit }, 0);
    for (const result of ['success', 'failure']) this.#reloads.inc({ result }, 0);
  }

  /** Names where live values come from; until then they read as zero. */
  readFrom(sources: Partial<MetricSources>): void {
    this.#sources = { ...this.#sources, ...sources };
  }

  /** Flow records that were folded into others. */
  suppressed(records: number): void {
    this.#logSuppressed.inc(records);
  }

  /** Adds what flows did meanwhile. */
  add(tally: Tally): void {
    for (const { listener, protocol, action, reason, flows } of tally.decisions) {
      this.#flows.inc({ listener, protocol, action, reason: reason ?? 'none' }, flows);
      const limit = reason === null || !isLimit(reason) ? undefined : LIMIT_OF[reason];
      if (limit !== undefined) this.limitReached(limit, flows);
    }
    for (const { rule, hits } of tally.rules) this.#ruleHits.inc({ rule: this.#ruleLabel(rule) }, hits);
    for (const cause of tally.dialFailures) this.#dialFailures.inc({ cause });
    this.#sniffSeconds.add(tally.sniffSeconds);
    this.#dialSeconds.add(tally.dialSeconds);
    this.#flowSeconds.add(tally.flowSeconds);
  }

  /** The policy loaded: at start, or again. */
  policyLoaded(): void {
    this.#lastReloadSuccessful.set(1);
    this.#lastReloadSuccess.set(this.#now() / 1_000);
  }

  /** A reload ended well; `policyLoaded` says what it brought. */
  reloadSucceeded(): void {
    this.#reloads.inc({ result: 'success' });
  }

  /** A reload was refused; the running policy stays. */
  reloadFailed(): void {
    this.#reloads.inc({ result: 'failure' });
    this.#lastReloadSuccessful.set(0);
  }

  accepting(isAccepting: boolean): void {
    this.#accepting.set(isAccepting ? 1 : 0);
  }

  /** `count` connections were refused before they were flows; decisions count themselves. */
  limitReached(limit: Limit, count = 1): void {
    this.#limitRejections.inc({ limit }, count);
  }

  /** A worker of the data plane has died and is started again. */
  workerRestarted(): void {
    this.#workerRestarts.inc();
  }

  /** The exposition, as `GET /metrics` answers it. */
  async render(): Promise<{ contentType: string; body: string }> {
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  #ruleLabel(rule: string): string {
    if (this.#rulesSeen.has(rule)) return rule;
    if (this.#rulesSeen.size >= this.#maxRuleSeries) return '_other';
    this.#rulesSeen.add(rule);
    return rule;
  }

  #registerSources(): void {
    const registers = [this.#registry];
    const sources = () => this.#sources;
    new Gauge({
      name: 'sallyport_open_flows',
      help: 'Flows open now',
      labelNames: ['listener'],
      registers,
      collect() {
        this.reset();
        for (const [listener, count] of Object.entries(sources().openFlows?.() ?? {})) {
          this.set({ listener }, count);
        }
      },
    });
    new Gauge({
      name: 'sallyport_undecided_flows',
      help: 'Flows open now whose hello or request has not come',
      registers,
      collect() {
        this.set(sources().undecidedFlows?.() ?? 0);
      },
    });
    new Counter({
      name: 'sallyport_bytes_total',
      help: 'Bytes relayed: out is client to upstream, in is upstream to client',
      labelNames: ['direction'],
      registers,
      collect() {
        const bytes = sources().bytes?.() ?? { out: 0, in: 0 };
        this.reset();
        this.inc({ direction: 'out' }, bytes.out);
        this.inc({ direction: 'in' }, bytes.in);
      },
    });
    new Gauge({
      name: 'sallyport_policy_info',
      help: 'The policy in force; always 1',
      labelNames: ['sha256', 'mode'],
      registers,
      collect() {
        const policy = sources().policy?.();
        this.reset();
        if (policy !== undefined) this.set({ sha256: policy.sha256, mode: policy.mode }, 1);
      },
    });
    new Gauge({
      name: 'sallyport_sites',
      help: 'Sites in the discovery table',
      registers,
      collect() {
        this.set(sources().sites?.().size ?? 0);
      },
    });
    new Counter({
      name: 'sallyport_site_evictions_total',
      help: 'Sites that the discovery table had no room for any more',
      registers,
      collect() {
        this.reset();
        this.inc(sources().sites?.().evictions ?? 0);
      },
    });
    new Gauge({
      name: 'sallyport_site_store_up',
      help: 'Whether sites are kept on disk; absent when they are to be held in memory only',
      registers,
      collect() {
        const store = sources().siteStore?.() ?? null;
        // Without labels a gauge starts at 0: it is taken out where there is nothing to say.
        this.remove();
        if (store !== null) this.set(store.state === 'open' ? 1 : 0);
      },
    });
    new Counter({
      name: 'sallyport_log_dropped_total',
      help: 'Log lines lost to a closed or slow reader',
      registers,
      collect() {
        this.reset();
        this.inc(sources().logDropped?.() ?? 0);
      },
    });
  }
}
