import type { IpAddress } from './address.ts';
import type { Action, Ruling } from './decision.ts';
import { type NearMiss, nearMisses } from './near-misses.ts';
import { patternMatches } from './pattern.ts';
import type { Policy, PolicyQuery } from './policy.ts';
import type { Location, ParsedPolicy } from './rules.ts';

/** The rule that decided, and which of its patterns did. */
export interface DecidingRule {
  readonly name: string;
  readonly action: 'allow' | 'deny';
  readonly pattern: string;
  /** Of the pattern. */
  readonly location: Location;
}

/** Why a query is answered as it is. Plain data, fit for JSON. */
export interface Explanation {
  readonly hostname: string | null;
  readonly port: number;
  readonly source: string;
  readonly action: Action;
  readonly ruling: Ruling;
  readonly rule: DecidingRule | null;
  /** The groups that hold the source. */
  readonly groups: readonly string[];
  /** Rules that nearly allow it, nearest first; empty when it is allowed. */
  readonly nearMisses: readonly NearMiss[];
}

/** Explains one decision. `policy` must be compiled from `parsed`. Reads all rules: not for the path of a flow. */
export function explain(parsed: ParsedPolicy, policy: Policy, query: PolicyQuery): Explanation {
  const ruling = policy.decide(query);
  const isAllowed = ruling.state === 'MATCHED';
  return {
    hostname: query.hostname,
    port: query.port,
    source: query.source.toString(),
    action: isAllowed ? 'allow' : ruling.mode === 'observe' ? 'would-deny' : 'deny',
    ruling,
    rule: decidingRule(parsed, ruling.rule, query.hostname),
    groups: groupsOf(parsed, query.source),
    nearMisses: isAllowed || query.hostname === null ? [] : nearMisses(parsed, query.hostname, query),
  };
}

function decidingRule(parsed: ParsedPolicy, index: number, hostname: string | null): DecidingRule | null {
  const rule = parsed.rules[index];
  if (rule === undefined || hostname === null) return null;
  const host = rule.hosts.findIndex(pattern => patternMatches(pattern, hostname));
  return {
    name: rule.name,
    action: rule.action,
    pattern: rule.hosts[host]?.text ?? '',
    location: { ...rule.location, ...rule.hostPositions[host] },
  };
}

function groupsOf(parsed: ParsedPolicy, source: IpAddress): string[] {
  return parsed.sources
    .filter(group => group.cidrs.some(cidr => cidr.contains(source)))
    .map(group => group.name);
}
