import type { PolicyDocument, QueryDocument, RuleDocument, Zone } from './document.ts';
import { blockHolds, prefixOf } from './naive-address.ts';
import { type NaiveHost, naiveHosts } from './naive-hosts.ts';
import { compareSpecificity, patternHolds } from './naive-pattern.ts';

export interface NaiveAnswer {
  readonly state: 'MATCHED' | 'NO_MATCH' | 'DENIED';
  /** The rules that may have decided: those that nothing makes more specific than one another. Empty for none. */
  readonly rules: readonly string[];
}

/** The policy read as its documentation words it: every rule looked at, one after the other. */
export class NaivePolicy {
  readonly #policy: PolicyDocument;
  /** Of named rules, by their names. */
  readonly #hosts: ReadonlyMap<string, readonly NaiveHost[]>;

  constructor(policy: PolicyDocument) {
    this.#policy = policy;
    this.#hosts = new Map(policy.rules.map(rule => [rule.name, naiveHosts(policy, rule)]));
  }

  hostsOf(rule: RuleDocument): readonly NaiveHost[] {
    return this.#hosts.get(rule.name) ?? [];
  }

  decide(query: QueryDocument): NaiveAnswer {
    const matches: Match[] = [];
    for (const rule of this.#policy.rules) {
      if (rule.protocol === 'tcp' || !this.#applies(rule, query)) continue;
      for (const { pattern, ports } of this.hostsOf(rule)) {
        if (ports.includes(query.port) && patternHolds(pattern, query.hostname))
          matches.push({ rule, pattern });
      }
    }
    return answer(matches, compareSpecificity);
  }

  /** By tcp rules alone; null where none matches. `asked`: the client asks for the name itself. */
  decideTcp(query: QueryDocument, zone: Zone, asked: boolean): NaiveAnswer | null {
    const { address } = query;
    const names = address === null ? [] : Object.keys(zone).filter(name => zone[name]?.includes(address));
    const matches: Match[] = [];
    for (const rule of this.#policy.rules) {
      if (rule.protocol !== 'tcp' || !this.#applies(rule, query) || !rule.ports?.includes(query.port))
        continue;
      for (const host of rule.hosts ?? []) {
        if (names.includes(host) || (asked && host === query.hostname)) matches.push({ rule, pattern: host });
      }
      for (const block of rule.cidrs ?? []) {
        if (address !== null && blockHolds(block, address)) matches.push({ rule, pattern: block });
      }
    }
    return matches.length === 0 ? null : answer(matches, compareDestinations);
  }

  mode({ source, nowMs }: QueryDocument): 'observe' | 'enforce' {
    let narrowest = -1;
    let mode: 'observe' | 'enforce' | null = null;
    for (const group of Object.values(this.#policy.sources)) {
      for (const block of group.cidrs) {
        if (group.mode === undefined || !blockHolds(block, source)) continue;
        const prefix = prefixOf(block);
        if (prefix > narrowest || (prefix === narrowest && group.mode === 'enforce')) mode = group.mode;
        narrowest = Math.max(narrowest, prefix);
      }
    }
    if (mode !== null) return mode;
    const { observeUntil } = this.#policy;
    const isOver = observeUntil !== undefined && nowMs >= Date.parse(observeUntil);
    return this.#policy.mode === 'observe' && !isOver ? 'observe' : 'enforce';
  }

  rule(name: string): RuleDocument | undefined {
    return this.#policy.rules.find(rule => rule.name === name);
  }

  #applies(rule: RuleDocument, { source, nowMs }: QueryDocument): boolean {
    if (rule.until !== undefined && nowMs >= Date.parse(rule.until)) return false;
    if (rule.from === undefined) return true;
    for (const item of rule.from) {
      const group = Object.hasOwn(this.#policy.sources, item) ? this.#policy.sources[item] : undefined;
      const blocks = group?.cidrs ?? [item];
      if (blocks.some(block => blockHolds(block, source))) return true;
    }
    return false;
  }
}

interface Match {
  readonly rule: RuleDocument;
  readonly pattern: string;
}

function answer(matches: readonly Match[], compare: (a: string, b: string) => number): NaiveAnswer {
  const denied = matches.filter(({ rule }) => rule.action === 'deny');
  const deciding = denied.length > 0 ? denied : matches;
  if (deciding.length === 0) return { state: 'NO_MATCH', rules: [] };
  const best = deciding.filter(one => deciding.every(other => compare(other.pattern, one.pattern) >= 0));
  return {
    state: denied.length > 0 ? 'DENIED' : 'MATCHED',
    rules: [...new Set(best.map(({ rule }) => rule.name))],
  };
}

/** Names before blocks, and the longer prefix first. */
function compareDestinations(a: string, b: string): number {
  const [isBlockA, isBlockB] = [a, b].map(text => !/[a-z]/.test(text) || text.includes(':'));
  if (isBlockA !== isBlockB) return isBlockA ? 1 : -1;
  return isBlockA ? prefixOf(b) - prefixOf(a) : 0;
}
