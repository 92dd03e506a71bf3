import type { IpAddress } from '../../src/policy/address.ts';
import type { Mode } from '../../src/policy/decision.ts';
import { type HostPattern, parsePattern } from '../../src/policy/pattern.ts';
import type { ParsedPolicy, Rule, SourceItem } from '../../src/policy/rules.ts';

/** The plain reading of the semantics, rule by rule: what the compiled policy must agree with. */
export function referenceDecide(
  policy: ParsedPolicy,
  hostname: string,
  port: number,
  source: IpAddress,
  nowMs: number,
  vpcEndpoint?: string,
): { state: 'MATCHED' | 'NO_MATCH' | 'DENIED'; rule: number } {
  const matches = policy.rules.flatMap((rule, index) =>
    (rule.protocol === 'tcp' ? [] : rule.hosts)
      .filter(pattern => toRegExp(pattern).test(hostname))
      .filter(() => rule.ports.includes(port))
      .filter(() => rule.untilMs === null || nowMs < rule.untilMs)
      .filter(() => rule.from.length === 0 || rule.from.some(item => holds(item, source, vpcEndpoint)))
      .map(pattern => ({ rule, index, pattern })),
  );
  matches.sort((a, b) => comparePatterns(a.pattern, b.pattern) || compareTies(a.rule, b.rule));
  const denied = matches.find(m => m.rule.action === 'deny');
  if (denied !== undefined) return { state: 'DENIED', rule: denied.index };
  const allowed = matches[0];
  return allowed === undefined ? { state: 'NO_MATCH', rule: -1 } : { state: 'MATCHED', rule: allowed.index };
}

/** Whether a source, which may come through a VPC endpoint, is in a group. */
export function holds(
  { cidrs, vpcEndpoints = [] }: Pick<SourceItem, 'cidrs' | 'vpcEndpoints'>,
  source: IpAddress,
  vpcEndpoint: string | undefined,
): boolean {
  return (
    cidrs.some(cidr => cidr.contains(source)) ||
    (vpcEndpoint !== undefined && vpcEndpoints.includes(vpcEndpoint))
  );
}

export function referenceMode(
  policy: ParsedPolicy,
  source: IpAddress,
  nowMs: number,
  vpcEndpoint = 'none',
): Mode {
  const modes = policy.sources
    .filter(({ vpcEndpoints = [] }) => vpcEndpoints.includes(vpcEndpoint))
    .map(({ mode }) => mode);
  if (modes.includes('enforce')) return 'enforce';
  if (modes.includes('observe')) return 'observe';
  const own = policy.sources
    .flatMap(group => group.cidrs.map(cidr => ({ cidr, mode: group.mode })))
    .filter(({ cidr, mode }) => mode !== null && cidr.contains(source))
    .sort((a, b) => b.cidr.prefix - a.cidr.prefix || (a.mode === 'enforce' ? -1 : 1));
  const first = own[0]?.mode;
  if (first !== undefined && first !== null) return first;
  return policy.mode === 'observe' && (policy.observeUntilMs === null || nowMs < policy.observeUntilMs)
    ? 'observe'
    : 'enforce';
}

/** A pattern that must parse. */
export function pattern(text: string): HostPattern {
  const parsed = parsePattern(text);
  if (!parsed.ok) throw new Error(`${text}: ${parsed.fault}`);
  return parsed.pattern;
}

export function rule(name: string, hosts: readonly string[], rest: Partial<Rule> = {}): Rule {
  return {
    name,
    action: 'allow',
    protocol: 'named',
    cidrs: [],
    hosts: hosts.map(pattern),
    hostPositions: hosts.map((_, i) => ({ line: i + 3, col: 9 })),
    ports: [443],
    from: [],
    untilMs: null,
    allowPrivate: false,
    ech: null,
    location: { file: 'policy.yaml', line: 2, col: 5 },
    ...rest,
  };
}

export function policyOf(rules: readonly Rule[], rest: Partial<ParsedPolicy> = {}): ParsedPolicy {
  const sha256 = '5a'.repeat(32);
  return { mode: 'enforce', observeUntilMs: null, ech: 'deny', sources: [], rules, sha256, ...rest };
}

function toRegExp(pattern: HostPattern): RegExp {
  const labels = pattern.labels.map(label => label.replaceAll('*', '[^.]+'));
  return new RegExp(`^${pattern.deep ? '(?:[^.]+\\.)+' : ''}${labels.join('\\.')}$`);
}

function comparePatterns(a: HostPattern, b: HostPattern): number {
  const left = [...(a.deep ? ['**'] : []), ...a.labels].reverse();
  const right = [...(b.deep ? ['**'] : []), ...b.labels].reverse();
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const [l = '', r = ''] = [left[i], right[i]];
    const difference = grade(l) - grade(r);
    if (difference !== 0) return difference;
    if (l !== r) return l < r ? -1 : 1;
  }
  return 0;
}

function grade(label: string): number {
  if (label === '**') return 3000;
  return label.includes('*') ? 2000 - label.replaceAll('*', '').length : 1000;
}

function compareTies(a: Rule, b: Rule): number {
  const widest = (items: readonly SourceItem[]) =>
    Math.min(...items.flatMap(item => item.cidrs.map(cidr => cidr.prefix)), 128);
  const blocks = (items: readonly SourceItem[]) => items.reduce((sum, item) => sum + item.cidrs.length, 0);
  if ((a.from.length === 0) !== (b.from.length === 0)) return a.from.length === 0 ? 1 : -1;
  return (
    widest(b.from) - widest(a.from) ||
    blocks(a.from) - blocks(b.from) ||
    a.ports.length - b.ports.length ||
    (a.name < b.name ? -1 : 1)
  );
}
