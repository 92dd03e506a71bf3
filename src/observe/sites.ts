import type { CloseEvent, DecisionEvent, FlowIdentity, FlowObserver } from '../dataplane/events.ts';
import type { Action, State } from '../policy/decision.ts';
import { LruMap } from '../resolve/lru-map.ts';

/** One visited place, and what became of the flows to it. Times are epoch milliseconds. */
export interface Site {
  /** The hostname, or the destination address of flows that named none. */
  readonly host: string;
  readonly protocol: 'tcp';
  readonly port: number;
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  /** Flows by what the rules said. */
  readonly states: Readonly<Record<State, number>>;
  /** Flows by what was done. */
  readonly actions: Readonly<Record<Action, number>>;
  /** The rule that decided the latest flow; null when none did. */
  readonly lastRule: string | null;
  /** Of closed flows. */
  readonly bytesOut: number;
  readonly bytesIn: number;
}

interface MutableSite {
  readonly host: string;
  readonly port: number;
  readonly firstSeenMs: number;
  lastSeenMs: number;
  readonly states: Record<State, number>;
  readonly actions: Record<Action, number>;
  lastRule: string | null;
  bytesOut: number;
  bytesIn: number;
}

/**
 * The discovery table: which sites were visited. A flow counts when its decision is said, whatever the action.
 * Bounded: the site seen longest ago makes room. A flow without hostname and address is no site.
 */
export class Sites implements FlowObserver {
  readonly #sites: LruMap<string, MutableSite>;
  #evictions = 0;

  constructor(maxSites = 10_000) {
    this.#sites = new LruMap(maxSites);
  }

  get size(): number {
    return this.#sites.size;
  }

  /** Sites that had to make room, since the process started. */
  get evictions(): number {
    return this.#evictions;
  }

  decided(event: DecisionEvent): void {
    const host = hostOf(event);
    if (host === null) return;
    const site = this.#sites.use(siteKey(host, event.dstPort)) ?? this.#add(host, event);
    site.lastSeenMs = event.timeMs;
    site.states[event.state]++;
    site.actions[event.action]++;
    site.lastRule = event.rule;
  }

  closed(event: CloseEvent): void {
    const host = hostOf(event);
    if (host === null) return;
    const site = this.#sites.peek(siteKey(host, event.dstPort));
    if (site === undefined) return;
    site.bytesOut += event.bytesOut;
    site.bytesIn += event.bytesIn;
  }

  /** In the order first seen. */
  list(): Site[] {
    return this.#sites.values().map(site => ({
      ...site,
      protocol: 'tcp',
      states: { ...site.states },
      actions: { ...site.actions },
    }));
  }

  /** Forgets every site; evictions count on. */
  reset(): void {
    this.#sites.clear();
  }

  #add(host: string, event: DecisionEvent): MutableSite {
    const site: MutableSite = {
      host,
      port: event.dstPort,
      firstSeenMs: event.timeMs,
      lastSeenMs: event.timeMs,
      states: { MATCHED: 0, NO_MATCH: 0, DENIED: 0 },
      actions: { allow: 0, deny: 0, 'would-deny': 0 },
      lastRule: null,
      bytesOut: 0,
      bytesIn: 0,
    };
    if (this.#sites.set(siteKey(host, event.dstPort), site)) this.#evictions++;
    return site;
  }
}

function hostOf({ hostname, dstIp }: FlowIdentity): string | null {
  return hostname ?? dstIp;
}

function siteKey(host: string, port: number): string {
  return `${host},${port}`;
}
