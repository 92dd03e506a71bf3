import type {
  CloseEvent,
  DecisionEvent,
  DialFailure,
  FlowIdentity,
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

/** What the flows of one source to one site did. Times are epoch milliseconds. */
export interface SiteCount {
  /** The client's address. */
  readonly source: string;
  /** The hostname, or the destination address of flows that named none. */
  readonly host: string;
  readonly port: number;
  firstSeenMs: number;
  lastSeenMs: number;
  readonly states: Record<State, number>;
  readonly actions: Record<Action, number>;
  /** Flows by what spoke against them, where something did. */
  readonly reasons: Partial<Record<Reason, number>>;
  /** Flows whose hello carried Encrypted Client Hello. */
  ech: number;
  /** Flows in which a hello after the one that was judged named another host. */
  switched: number;
  /** What clients spoke, as bits of `PROTOCOL_BITS`. */
  protocols: number;
  /** Of the latest flow decided; null when no rule decided it, undefined when none was decided. */
  lastRule: string | null | undefined;
  bytesOut: number;
  bytesIn: number;
}

/** What was spoken, as a set of bits. */
export const PROTOCOL_BITS = {
  tls: 1,
  http: 2,
  connect: 4,
  socks5: 8,
  tcp: 16,
  unknown: 32,
} as const satisfies Readonly<Record<FlowProtocol, number>>;

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
export class FlowTally {
  #decisions: DecisionCount[] = [];
  #rules = new Map<string, RuleCount>();
  #sites: SiteCount[] = [];
  /** By port, source and host: three short looks-up cost less than putting one key together. */
  #siteIndex = new Map<number, Map<string, Map<string, SiteCount>>>();
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
    if (event.reason !== null) site.reasons[event.reason] = (site.reasons[event.reason] ?? 0) + 1;
    if (event.ech) site.ech++;
    site.protocols |= PROTOCOL_BITS[event.protocol];
    site.lastRule = event.rule;
  }

  closed(event: CloseEvent): void {
    count(this.#flowSeconds, FLOW_BUCKETS, event.durationMs / 1_000);
    if (event.dialMs !== null) count(this.#dialSeconds, DIAL_BUCKETS, event.dialMs / 1_000);
    if (event.dialFailure !== null) this.#dialFailures.push(event.dialFailure);
    const saysSomething = event.bytesOut + event.bytesIn > 0 || event.reason !== null;
    const site = saysSomething ? this.#site(event) : null;
    if (site === null) return;
    if (event.reason !== null) site.switched++;
    site.bytesOut += event.bytesOut;
    site.bytesIn += event.bytesIn;
  }

  /** What happened since the last call. */
  take(): Tally {
    const tally: Tally = {
      decisions: this.#decisions,
      rules: [...this.#rules.values()],
      sites: this.#sites,
      dialFailures: this.#dialFailures,
      sniffSeconds: this.#sniffSeconds,
      dialSeconds: this.#dialSeconds,
      flowSeconds: this.#flowSeconds,
    };
    this.#decisions = [];
    this.#rules = new Map();
    this.#sites = [];
    this.#siteIndex = new Map();
    this.#dialFailures = [];
    this.#sniffSeconds = emptyCounts(SNIFF_BUCKETS);
    this.#dialSeconds = emptyCounts(DIAL_BUCKETS);
    this.#flowSeconds = emptyCounts(FLOW_BUCKETS);
    return tally;
  }

  #countDecision({ listener, protocol, action, reason }: DecisionEvent): void {
    // A dozen ways to be decided at most, nearly always the first: looking through them costs less than making a key.
    for (const count of this.#decisions) {
      if (
        count.listener === listener &&
        count.protocol === protocol &&
        count.action === action &&
        count.reason === reason
      ) {
        count.flows++;
        return;
      }
    }
    this.#decisions.push({ listener, protocol, action, reason, flows: 1 });
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
  #site(event: FlowIdentity & { timeMs: number }): SiteCount | null {
    const { srcIp: source, dstPort: port } = event;
    const host = event.hostname ?? event.dstIp;
    if (host === null) return null;
    let bySource = this.#siteIndex.get(port);
    if (bySource === undefined) {
      bySource = new Map();
      this.#siteIndex.set(port, bySource);
    }
    let byHost = bySource.get(source);
    if (byHost === undefined) {
      byHost = new Map();
      bySource.set(source, byHost);
    }
    let site = byHost.get(host);
    if (site === undefined) {
      site = emptySite(source, host, port, event.timeMs);
      byHost.set(host, site);
      this.#sites.push(site);
    }
    return site;
  }
}

function emptySite(source: string, host: string, port: number, timeMs: number): SiteCount {
  return {
    source,
    host,
    port,
    firstSeenMs: timeMs,
    lastSeenMs: timeMs,
    states: { MATCHED: 0, NO_MATCH: 0, DENIED: 0 },
    actions: { allow: 0, deny: 0, 'would-deny': 0 },
    reasons: {},
    ech: 0,
    switched: 0,
    protocols: 0,
    lastRule: undefined,
    bytesOut: 0,
    bytesIn: 0,
  };
}
