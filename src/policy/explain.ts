import { decideDestination } from './decide-destination.ts';
import type { Action, Ruling } from './decision.ts';
import { findNearMisses, type NearMiss } from './near-misses.ts';
import { patternMatches } from './pattern.ts';
import type { KnownAddresses, Policy, TcpQuery } from './policy.ts';
import type { PresetHints } from './preset-hint.ts';
import { RuleBook } from './rule-book.ts';
import type { Location } from './rules.ts';
import { TcpAddresses } from './tcp-addresses.ts';

/** The rule that decided, and which of its patterns or blocks did. */
export interface DecidingRule {
  readonly name: string;
  readonly action: 'allow' | 'deny';
  /** Of a tcp rule, the host or the block. */
  readonly pattern: string;
  /** Of the pattern; a block's is the rule's. */
  readonly location: Location;
}

/** Why a query is answered as it is. Plain data, fit for JSON. */
export interface Explanation {
  readonly hostname: string | null;
  /** Where an address was asked about. */
  readonly address: string | null;
  readonly port: number;
  readonly source: string;
  /** The VPC endpoint that it comes through; null for none. */
  readonly vpcEndpoint: string | null;
  readonly action: Action;
  readonly ruling: Ruling;
  readonly rule: DecidingRule | null;
  /** The groups that hold the source. */
  readonly groups: readonly string[];
  /** Rules that nearly allow it, nearest first; empty when it is allowed. */
  readonly nearMisses: readonly NearMiss[];
  /** What the host is known as, where it is not allowed: `belongs to preset …`; null for nothing. */
  readonly hint: string | null;
}

/** What an explanation may draw on besides the policy. */
export interface ExplainAids {
  readonly hints?: PresetHints | null;
  /** What the hosts of tcp rules resolve to. */
  readonly known?: KnownAddresses;
}

/** Explains one decision. Reads all rules: not for the path of a flow. */
export function explain(policy: Policy, query: TcpQuery, aids: ExplainAids = {}): Explanation {
  const steps = explainInSteps(policy, query, aids);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** As `explain`, in many small steps, so that whoever has other things to do can do them in between. */
export function* explainInSteps(
  policy: Policy,
  query: TcpQuery,
  { hints = null, known = TcpAddresses.none() }: ExplainAids = {},
): Generator<undefined, Explanation> {
  const { hostname, address, port, source, vpcEndpoint } = query;
  const ruling = decideDestination(policy, query, known);
  const isAllowed = ruling.state === 'MATCHED';
  const book = new RuleBook(policy);
  return {
    hostname,
    address: address?.toString() ?? null,
    port,
    source: source.toString(),
    vpcEndpoint: vpcEndpoint ?? null,
    action: isAllowed ? 'allow' : ruling.mode === 'observe' ? 'would-deny' : 'deny',
    ruling,
    rule: decidingRule(book, ruling.rule, query, known),
    groups: book.groupsOf(source, vpcEndpoint),
    nearMisses: isAllowed ? [] : yield* findNearMisses(book, query),
    hint: isAllowed || hostname === null ? null : (hints?.hintFor(hostname) ?? null),
  };
}

function decidingRule(
  book: RuleBook,
  rule: number,
  { hostname, address }: TcpQuery,
  known: KnownAddresses,
): DecidingRule | null {
  if (rule < 0) return null;
  const names = [
    ...(hostname === null ? [] : [hostname]),
    ...(address === null ? [] : known.namesOf(address)),
  ];
  const host = book.hosts(rule).find(({ pattern }) => names.some(name => patternMatches(pattern, name)));
  const block = address === null ? undefined : book.cidrs(rule).find(cidr => cidr.contains(address));
  return {
    name: book.name(rule),
    action: book.action(rule),
    pattern: host?.pattern.text ?? block?.toString() ?? '',
    location: host?.location ?? book.location(rule),
  };
}
