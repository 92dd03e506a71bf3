import type { Action, Ruling } from './decision.ts';
import { findNearMisses, type NearMiss } from './near-misses.ts';
import { patternMatches } from './pattern.ts';
import type { Policy, PolicyQuery } from './policy.ts';
import type { PresetHints } from './preset-hint.ts';
import { RuleBook } from './rule-book.ts';
import type { Location } from './rules.ts';

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
  /** What the host is known as, where it is not allowed: `belongs to preset …`; null for nothing. */
  readonly hint: string | null;
}

/** Explains one decision. Reads all rules: not for the path of a flow. */
export function explain(policy: Policy, query: PolicyQuery, hints: PresetHints | null = null): Explanation {
  const steps = explainInSteps(policy, query, hints);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** As `explain`, in many small steps, so that whoever has other things to do can do them in between. */
export function* explainInSteps(
  policy: Policy,
  query: PolicyQuery,
  hints: PresetHints | null = null,
): Generator<undefined, Explanation> {
  const { hostname, port, source } = query;
  const ruling = policy.decide(query);
  const isAllowed = ruling.state === 'MATCHED';
  const book = new RuleBook(policy);
  return {
    hostname,
    port,
    source: source.toString(),
    action: isAllowed ? 'allow' : ruling.mode === 'observe' ? 'would-deny' : 'deny',
    ruling,
    rule: decidingRule(book, ruling.rule, hostname),
    groups: book.groupsOf(source),
    nearMisses: isAllowed || hostname === null ? [] : yield* findNearMisses(book, hostname, query),
    hint: isAllowed || hostname === null ? null : (hints?.hintFor(hostname) ?? null),
  };
}

function decidingRule(book: RuleBook, rule: number, hostname: string | null): DecidingRule | null {
  if (rule < 0 || hostname === null) return null;
  const host = book.hosts(rule).find(({ pattern }) => patternMatches(pattern, hostname));
  return {
    name: book.name(rule),
    action: book.action(rule),
    pattern: host?.pattern.text ?? '',
    location: host?.location ?? book.location(rule),
  };
}
