import { isList, isRecord } from './kernel-json.ts';
import type { Json } from './nft.ts';

/** Where a loaded table differs from the one that should be; null when it does not. */
export function difference(expected: readonly Json[], loaded: readonly Json[]): string | null {
  const [wanted, found] = [byChain(expected), byChain(loaded)];
  for (const [name, chain] of wanted) {
    const other = found.get(name);
    if (other === undefined) return `chain ${name} is missing`;
    if (chain.base !== other.base) return `chain ${name} is at another hook, or has another policy`;
    const at = chain.rules.findIndex((rule, i) => rule.text !== other.rules[i]?.text);
    if (at >= 0) return `chain ${name}, rule ${at + 1} (${chain.rules[at]?.comment}) is missing or another`;
    if (other.rules.length > chain.rules.length) return `chain ${name} has more rules than it should`;
  }
  const extra = [...found.keys()].find(name => !wanted.has(name));
  return extra === undefined ? null : `there is a chain ${extra} that should not be`;
}

interface ComparableChain {
  /** Hook, priority and policy, as text to be compared. */
  base: string;
  readonly rules: { readonly text: string; readonly comment: string }[];
}

function byChain(objects: readonly Json[]): Map<string, ComparableChain> {
  const chains = new Map<string, ComparableChain>();
  const chainOf = (name: string): ComparableChain => {
    const chain = chains.get(name) ?? { base: '', rules: [] };
    chains.set(name, chain);
    return chain;
  };
  for (const object of objects) {
    const { chain, rule } = fields(object);
    if (chain !== undefined) {
      const { name, type, hook, prio, policy } = fields(chain);
      chainOf(String(name)).base = JSON.stringify([type, hook, prio, policy]);
    }
    if (rule !== undefined) {
      const { chain: name, expr, comment } = fields(rule);
      chainOf(String(name)).rules.push({ text: canonicalText(expr ?? null), comment: String(comment) });
    }
  }
  return chains;
}

/**
 * The same text for what is the same to the kernel: counts do not matter, nor the order inside a set; newer versions of
 * nft write a list of one as that one, and leave the default of reject away.
 */
function canonicalText(value: Json): string {
  return JSON.stringify(canonical(value));
}

function canonical(value: Json): Json {
  if (value === null || typeof value !== 'object') return value;
  if (isList(value)) return value.length === 1 ? canonical(value[0] ?? null) : value.map(canonical);
  const entries = Object.entries(value).map(([key, inner]): [string, Json] => {
    if (key === 'counter') return [key, null];
    if (key === 'reject' && inner === null) return [key, { expr: 'port-unreachable', type: 'icmpx' }];
    if ((key === 'set' || key === 'right') && isList(inner ?? null)) return [key, sorted(inner ?? null)];
    return [key, canonical(inner ?? null)];
  });
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function sorted(list: Json): Json {
  const inner = canonical(list);
  return isList(inner) ? [...inner].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : inner;
}

function fields(value: Json | undefined): { readonly [key: string]: Json | undefined } {
  return value !== undefined && isRecord(value) ? value : {};
}
