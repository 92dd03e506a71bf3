import type { FlowProtocol } from '../dataplane/events.ts';
import { IpAddress } from '../policy/address.ts';
import type { Action, State } from '../policy/decision.ts';
import type { Reason } from '../policy/reason.ts';
import type { BlockSet, SourceGroups } from '../policy/source-groups.ts';
import { PROTOCOL_BITS, type SiteCount } from './flow-tally.ts';
import { addTo, type SiteRow, siteKey } from './sites.ts';

const PROTOCOLS = [
  'tls',
  'http',
  'connect',
  'socks5',
  'tcp',
  'unknown',
] as const satisfies readonly FlowProtocol[];

/** What became of the flows to one site. Times are epoch milliseconds. */
interface SiteFacts {
  /** The hostname, or the destination address of flows that named none. */
  readonly host: string;
  readonly protocol: 'tcp';
  readonly port: number;
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  readonly flows: number;
  /** Flows by what the rules said. */
  readonly states: Readonly<Record<State, number>>;
  /** Flows by what was done. */
  readonly actions: Readonly<Record<Action, number>>;
  /** Flows by what spoke against them, where something did. */
  readonly reasons: Readonly<Partial<Record<Reason, number>>>;
  /** Flows whose hello carried Encrypted Client Hello. */
  readonly ech: number;
  /** Flows whose hello named another host than the one before it, or whose destination was none of the name's. */
  readonly mismatches: number;
  /** What clients spoke. */
  readonly spoke: readonly FlowProtocol[];
  /** The rule that decided the latest flow; null when none did. */
  readonly lastRule: string | null;
  /** Of closed flows. */
  readonly bytesOut: number;
  readonly bytesIn: number;
}

/** A site, whoever visited it. */
export interface Site extends SiteFacts {
  /** How many sources did. */
  readonly sources: number;
}

/** What one source did at a site. */
export interface SourceSite extends SiteFacts {
  readonly source: string;
  /** The policy's source groups that hold it now. */
  readonly groups: readonly string[];
}

export const SITE_VERDICTS = ['allow', 'deny', 'would-deny', 'ech', 'mismatch'] as const;
export type SiteVerdict = (typeof SITE_VERDICTS)[number];

export interface SiteFilter {
  /** Seen at or after, epoch milliseconds. */
  readonly sinceMs?: number | undefined;
  /** Not seen before, epoch milliseconds. */
  readonly newSinceMs?: number | undefined;
  readonly sources?: BlockSet | undefined;
  /** At least one flow of that verdict. */
  readonly verdict?: SiteVerdict | undefined;
}

/** The sites that pass the filter, in the order first seen. Counts are whole: a filter picks sites, it cuts no counts. */
export function listSites(rows: readonly SiteRow[], filter: SiteFilter): Site[] {
  return fold(rows, filter, siteKey).map(({ count, sources }) => ({ ...factsOf(count), sources }));
}

/** The same, for each source apart. */
export function listSourceSites(
  rows: readonly SiteRow[],
  filter: SiteFilter,
  groups: SourceGroups,
): SourceSite[] {
  const groupsOf = memoize(source => {
    const address = IpAddress.parse(source);
    return address === null ? [] : groups.of(address);
  });
  return fold(rows, filter, count => `${count.source},${siteKey(count)}`).map(({ count }) => ({
    source: count.source,
    groups: groupsOf(count.source),
    ...factsOf(count),
  }));
}

interface Folded {
  readonly count: SiteCount;
  sources: number;
}

function fold(
  rows: readonly SiteRow[],
  { sinceMs, newSinceMs, sources, verdict }: SiteFilter,
  keyOf: (count: SiteCount) => string,
): Folded[] {
  const isWanted = memoize(source => {
    const address = IpAddress.parse(source);
    return address !== null && sources?.holds(address) === true;
  });
  const byKey = new Map<string, Folded>();
  for (const { count } of rows) {
    if (sources !== undefined && !isWanted(count.source)) continue;
    const key = keyOf(count);
    const folded = byKey.get(key);
    if (folded === undefined) {
      byKey.set(key, { count: copyOf(count), sources: 1 });
      continue;
    }
    const { lastSeenMs, lastRule } = folded.count;
    addTo(folded.count, count);
    if (count.lastSeenMs < lastSeenMs) folded.count.lastRule = lastRule;
    folded.sources++;
  }
  return [...byKey.values()]
    .filter(
      ({ count }) =>
        (sinceMs === undefined || count.lastSeenMs >= sinceMs) &&
        (newSinceMs === undefined || count.firstSeenMs >= newSinceMs) &&
        (verdict === undefined || hasVerdict(count, verdict)),
    )
    .sort((a, b) => a.count.firstSeenMs - b.count.firstSeenMs);
}

function hasVerdict(count: SiteCount, verdict: SiteVerdict): boolean {
  switch (verdict) {
    case 'allow':
    case 'deny':
    case 'would-deny':
      return count.actions[verdict] > 0;
    case 'ech':
      return count.ech > 0;
    case 'mismatch':
      return mismatchesOf(count) > 0;
    default:
      return verdict satisfies never;
  }
}

function factsOf(count: SiteCount): SiteFacts {
  const { host, port, firstSeenMs, lastSeenMs, states, actions, reasons } = count;
  return {
    host,
    protocol: 'tcp',
    port,
    firstSeenMs,
    lastSeenMs,
    flows: flowsOf(count),
    states,
    actions,
    reasons,
    ech: count.ech,
    mismatches: mismatchesOf(count),
    spoke: PROTOCOLS.filter(protocol => (count.protocols & PROTOCOL_BITS[protocol]) !== 0),
    lastRule: count.lastRule ?? null,
    bytesOut: count.bytesOut,
    bytesIn: count.bytesIn,
  };
}

export function flowsOf({ actions }: SiteCount): number {
  return actions.allow + actions.deny + actions['would-deny'];
}

export function mismatchesOf({ reasons, switched }: SiteCount): number {
  return (reasons.name_mismatch ?? 0) + (reasons.destination_mismatch ?? 0) + switched;
}

function copyOf(count: SiteCount): SiteCount {
  return {
    ...count,
    states: { ...count.states },
    actions: { ...count.actions },
    reasons: { ...count.reasons },
  };
}

function memoize<T>(ask: (source: string) => T): (source: string) => T {
  const known = new Map<string, T>();
  return source => {
    const before = known.get(source);
    if (before !== undefined) return before;
    const answer = ask(source);
    known.set(source, answer);
    return answer;
  };
}
