import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cidr } from '../../src/policy/address.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { decideDestination } from '../../src/policy/decide-destination.ts';
import { Policy, type TcpQuery } from '../../src/policy/policy.ts';
import type { ParsedPolicy, Rule } from '../../src/policy/rules.ts';
import { packTcpAddresses, TcpAddresses } from '../../src/policy/tcp-addresses.ts';
import { toAddress, toHostname } from './arbitrary-policy.ts';
import { policyOf, referenceDecide, rule } from './reference.ts';

const HOSTS = ['git.example', 'db.example', 'mail.example'];
const BLOCKS = [
  '0.0.0.0/0',
  '::/0',
  '10.0.0.0/8',
  '10.1.0.0/16',
  '10.1.2.3',
  '203.0.113.0/24',
  '203.0.113.7',
  '2001:db8::/32',
  '2001:db8::7',
];
const ADDRESSES = [
  '10.1.2.3',
  '10.1.2.4',
  '10.9.9.9',
  '203.0.113.7',
  '203.0.113.8',
  '192.0.2.1',
  '2001:db8::7',
  'fe80::1',
];
const RESOLVED = new Map([
  ['git.example', ['203.0.113.7', '2001:db8::7']],
  ['db.example', ['10.1.2.3', '203.0.113.7']],
  ['mail.example', []],
]);
const known = TcpAddresses.from(
  packTcpAddresses(
    [...RESOLVED].map(([name, addresses]) => ({
      hostname: toHostname(name),
      addresses: addresses.map(toAddress),
    })),
  ),
);
const SOURCE = toAddress('192.168.0.1');

const parts = fc.record({
  isTcp: fc.constantFrom(true, true, false),
  hosts: fc.uniqueArray(fc.constantFrom(...HOSTS), { maxLength: 2 }),
  cidrs: fc.uniqueArray(fc.constantFrom(...BLOCKS), { maxLength: 3 }),
  action: fc.constantFrom('allow' as const, 'allow' as const, 'deny' as const),
  ports: fc.uniqueArray(fc.constantFrom(22, 443, 5432), { minLength: 1, maxLength: 2 }),
  untilMs: fc.constantFrom(null, null, 1000),
  from: fc.constantFrom([], [], ['192.168.0.0/16'], ['192.168.0.1'], ['10.0.0.0/8']),
  allowPrivate: fc.boolean(),
});
const policies = fc.array(parts, { maxLength: 30 }).map(list =>
  policyOf(
    list
      .filter(({ isTcp, hosts, cidrs }) => hosts.length > 0 || (isTcp && cidrs.length > 0))
      .map(({ isTcp, hosts, cidrs, from, ports, ...rest }, i) =>
        rule(`r${i}`, hosts, {
          ...rest,
          protocol: isTcp ? 'tcp' : 'named',
          cidrs: isTcp ? cidrs.map(toCidr) : [],
          ports: [...ports].sort((a, b) => a - b),
          from: from.map(text => ({ text, cidrs: [toCidr(text)] })),
        }),
      ),
  ),
);
const queries = fc.array(
  fc.record({
    hostname: fc.constantFrom(null, ...HOSTS.map(toHostname), toHostname('other.example')),
    address: fc.constantFrom(null, ...ADDRESSES.map(toAddress)),
    port: fc.constantFrom(22, 443, 5432, 1),
    source: fc.constantFrom(SOURCE, toAddress('192.168.7.7'), toAddress('10.0.0.1')),
    nowMs: fc.constantFrom(0, 1000),
  }),
  { minLength: 1, maxLength: 20 },
);

describe('rules for protocols without a name', () => {
  it('decide as the plain reading of them does', () => {
    fc.assert(
      fc.property(policies, queries, (parsed, list) => {
        const policy = Policy.from(compilePolicy(parsed));
        for (const query of list) {
          const ruling = policy.decideTcp(query, known);
          expect(ruling && { state: ruling.state, rule: ruling.rule, hostname: ruling.hostname }).toEqual(
            plainly(parsed, query),
          );
          if (ruling?.state === 'MATCHED') {
            expect(ruling.allowPrivate).toBe(parsed.rules[ruling.rule]?.allowPrivate);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('change nothing about what names on the wire may do', () => {
    fc.assert(
      fc.property(policies, queries, (parsed, list) => {
        const policy = Policy.from(compilePolicy(parsed));
        for (const query of list) {
          if (query.hostname === null) continue;
          const { state, rule } = policy.decide(query);
          expect({ state, rule }).toEqual(
            referenceDecide(parsed, query.hostname, query.port, query.source, query.nowMs),
          );
        }
      }),
    );
  });

  it('a deny rule of either kind wins, then a tcp rule, then a named one', () => {
    const tcp = (name: string, rest: Partial<Rule> = {}) =>
      rule(name, ['git.example'], { protocol: 'tcp', ports: [22], ...rest });
    const named = (name: string, rest: Partial<Rule> = {}) =>
      rule(name, ['git.example'], { ports: [22], ...rest });
    const decided = (...rules: Rule[]) => {
      const policy = Policy.from(compilePolicy(policyOf(rules)));
      const query = {
        hostname: toHostname('git.example'),
        address: null,
        port: 22,
        source: SOURCE,
        nowMs: 0,
      };
      const { state, rule } = decideDestination(policy, query, known);
      return `${state} ${policy.ruleName(rule)}`;
    };
    expect(decided(named('n'), tcp('t'))).toBe('MATCHED t');
    expect(decided(named('n', { action: 'deny' }), tcp('t'))).toBe('DENIED n');
    expect(decided(named('n'), tcp('t', { action: 'deny' }))).toBe('DENIED t');
  });
});

/** Rule by rule: who matches, by what, and who of them has the say. */
function plainly(
  { rules }: ParsedPolicy,
  { hostname, address, port, source, nowMs }: TcpQuery,
): { state: string; rule: number; hostname: string | null } | null {
  const names = [
    hostname,
    ...[...RESOLVED]
      .filter(([, ips]) => ips.some(ip => address?.equals(toAddress(ip))))
      .map(([name]) => name),
  ];
  const matches = rules.flatMap((rule, index) => {
    if (rule.protocol !== 'tcp' || !rule.ports.includes(port)) return [];
    if (rule.untilMs !== null && nowMs >= rule.untilMs) return [];
    if (rule.from.length > 0 && !rule.from.some(item => item.cidrs.some(cidr => cidr.contains(source))))
      return [];
    const byName = rule.hosts
      .filter(({ text }) => names.includes(text))
      .map(({ text }) => ({ index, hostname: text, grade: [0, ...orderOf(text)] }));
    const byBlock = rule.cidrs
      .filter(cidr => address !== null && cidr.contains(address))
      .map(cidr => ({ index, hostname: null, grade: [1, -cidr.prefix] }));
    return [...byName, ...byBlock];
  });
  matches.sort((a, b) => compareLists(a.grade, b.grade) || compareRules(rules[a.index], rules[b.index]));
  const denied = matches.find(({ index }) => rules[index]?.action === 'deny');
  const best = denied ?? matches[0];
  if (best === undefined) return null;
  return { state: denied === undefined ? 'MATCHED' : 'DENIED', rule: best.index, hostname: best.hostname };
}

/** The order of names among names: by their labels from the right. */
function orderOf(name: string): number[] {
  return [[...HOSTS].sort().indexOf(name)];
}

function compareLists(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}

function compareRules(a: Rule | undefined, b: Rule | undefined): number {
  if (a === undefined || b === undefined) return 0;
  const prefix = ({ from }: Rule) => from[0]?.cidrs[0]?.prefix ?? -1;
  return (
    prefix(b) - prefix(a) ||
    a.from.length - b.from.length ||
    a.ports.length - b.ports.length ||
    (a.name < b.name ? -1 : 1)
  );
}

function toCidr(text: string): Cidr {
  const cidr = Cidr.parse(text);
  if (cidr === null) throw new Error(`${text} is no block`);
  return cidr;
}
