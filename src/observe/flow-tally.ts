import type {
  CloseEvent,
  DecisionEvent,
  DialFailure,
  FlowIdentity,
  FlowObserver,
  FlowProtocol,
} from '../dataplane/events.ts';
import type { Action, State } from '../policy/decision.ts';
import type { Reason } from '../policy/reason.ts';
import {
  type BucketCounts,
  count,
  DIAL_BUCKETS,
  emptyCounts,
  FLOW_BUCKETS,
  SNIFF_BUCKETS,
} from './buckets.ts';

/** Flows that were decided alike. */
export interface DecisionCount {
  readonly listener: string;
  readonly protocol: FlowProtocol;
  readonly action: Action;
  readonly reason: Reason | null;
  flows: number;
}

/** Flows that one rule decided. Times are epoch milliseconds. */
export interface RuleCount {
  readonly rule: string;
  hits: number;
  readonly firstMs: number;
  lastMs: number;
}

/** What flows to one site did. Times are epoch milliseconds. */
export interface SiteCount {
  /** The hostname, or the destination address of flows that named none. */
  readonly host: string;
  readonly port: number;
  readonly firstSeenMs: number;
  lastSeenMs: number;
  readonly states: Record<State, number>;
  readonly actions: Record<Action, number>;
  /** Of the latest flow decided; null when no rule decided it, undefined when none was decided. */
  lastRule: string | null | undefined;
  bytesOut: number;
  bytesIn: number;
}

/** What flows did since the last tally. Plain data: it crosses threads by structured clone. */
export interface Tally {
  readonly decisions: readonly DecisionCount[];
  readonly rules: readonly RuleCount[];
  readonly sites: readonly SiteCount[];
  readonly dialFailures: readonly DialFailure[];
  readonly sniffSeconds: BucketCounts;
  readonly dialSeconds: BucketCounts;
  readonly flowSeconds: BucketCounts;
}

/**
 * Adds up what flows did, on the thread that they ran on: a thousand flows then cost the main thread one message. It
 * grows with the flows of one reporting interval at most.
 */
export class FlowTally implements FlowObserver {
  #decisions = new Map<string, DecisionCount>();
  #rules = new Map<string, RuleCount>();
  #sites = new Map<string, SiteCount>();
  #dialFailures: DialFailure[] = [];
  #sniffSeconds = emptyCounts(SNIFF_BUCKETS);
  #dialSeconds = emptyCounts(DIAL_BUCKETS);
  #flowSeconds = emptyCounts(FLOW_BUCKETS);

  decided(event: DecisionEvent): void {
    count(this.#sniffSeconds, SNIFF_BUCKETS, event.sniffMs / 1_000);
    this.#countDecision(event);
    if (event.rule !== null) this.#countRule(event.rule, event.timeMs);
    const site = this.#site(event);
    if (site === null) return;
    site.lastSeenMs = event.timeMs;
    site.states[event.state]++;
    site.actions[event.action]++;
    site.lastRule = event.rule;
  }

  closed(event: CloseEvent): void {
    count(this.#flowSeconds, FLOW_BUCKETS, event.durationMs / 1_000);
    if (event.dialMs !== null) count(this.#dialSeconds, DIAL_BUCKETS, event.dialMs / 1_000);
    if (event.dialFailure !== null) this.#dialFailures.push(event.dialFailure);
    const site = event.bytesOut + event.bytesIn > 0 ? this.#site(event) : null;
    if (site === null) return;
    site.bytesOut += event.bytesOut;
    site.bytesIn += event.bytesIn;
  }

  /** What happened since the last call. */
  take(): Tally {
    const tally: Tally = {
      decisions: [...this.#decisions.values()],
      rules: [...this.#rules.values()],
      sites: [...this.#sites.values()],
      dialFailures: this.#dialFailures,
      sniffSeconds: this.#sniffSeconds,
      dialSeconds: this.#dialSeconds,
      flowSeconds: this.#flowSeconds,
    };
    this.#decisions = new Map();
    this.#rules = new Map();
    this.#sites = new Map();
    this.#dialFailures = [];
    this.#sniffSeconds = emptyCounts(SNIFF_BUCKETS);
    this.#dialSeconds = emptyCounts(DIAL_BUCKETS);
    this.#flowSeconds = emptyCounts(FLOW_BUCKETS);
    return tally;
  }

  #countDecision({ listener, protocol, action, reason }: DecisionEvent): void {
    const key = `${listener} ${protocol} ${action} ${reason}`;
    const alike = this.#decisions.get(key);
    if (alike === undefined) this.#decisions.set(key, { listener, protocol, action, reason, flows: 1 });
    else alike.flows++;
  }

  #countRule(rule: string, timeMs: number): void {
    const hit = this.#rules.get(rule);
    if (hit === undefined) {
      this.#rules.set(rule, { rule, hits: 1, firstMs: timeMs, lastMs: timeMs });
    } else {
      hit.hits++;
      hit.lastMs = timeMs;
    }
  }

  /** Null for a flow without hostname and address, which is no site. */
  #site({ hostname, dstIp, dstPort, timeMs }: FlowIdentity & { timeMs: number }): SiteCount | null {
    const host = hostname ?? dstIp;
    if (host === null) return null;
    const key = siteKey(host, dstPort);
    let site = this.#sites.get(key);
    if (site === undefined) {
      site = {
        host,
        port: dstPort,
        firstSeenMs: timeMs,
        lastSeenMs: timeMs,
        states: { MATCHED: 0, NO_MATCH: 0, DENIED: 0 },
        actions: { allow: 0, deny: 0, 'would-deny': 0 },
        lastRule: undefined,
        bytesOut: 0,
        bytesIn: 0,
      };
      this.#sites.set(key, site);
    }
    return site;
  }
}

export function siteKey(host: string, port: number): string {
  return `${host},${port}`;
}
