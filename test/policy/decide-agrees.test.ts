import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cidr, IpAddress } from '../../src/policy/address.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import type { Hostname } from '../../src/policy/hostname.ts';
import { parseHostname } from '../../src/policy/hostname.ts';
import { type HostPattern, parsePattern } from '../../src/policy/pattern.ts';
import { Policy } from '../../src/policy/policy.ts';
import type { ParsedPolicy } from '../../src/policy/rules.ts';
import { policyOf, referenceDecide, referenceMode, rule } from './reference.ts';

// Few letters and few blocks, so that random rules and random queries meet.
const literal = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 3 });
const globChar = fc.constantFrom('a', 'b', '*');
const label = fc.oneof(
  { weight: 3, arbitrary: literal },
  {
    weight: 2,
    arbitrary: fc.string({ unit: globChar, minLength: 1, maxLength: 5 }).filter(s => !s.includes('**')),
  },
);
const patternText = fc
  .tuple(fc.boolean(), fc.array(label, { minLength: 1, maxLength: 3 }), fc.constantFrom('com', 'a', 'b'))
  .map(([deep, labels, top]) => `${deep ? '**.' : ''}${labels.join('.')}.${top}`);
const hosts = fc.array(
  patternText
    .map(text => parsePattern(text))
    .filter(p => p.ok)
    .map(p => (p.ok ? p.pattern : never())),
  { minLength: 1, maxLength: 3 },
);
const hostname = fc
  .tuple(fc.array(literal, { minLength: 1, maxLength: 4 }), fc.constantFrom('com', 'a', 'b'))
  .map(([labels, top]) => toHostname([...labels, top].join('.')));

const CIDRS = [
  '10.0.0.0/8',
  '10.1.0.0/16',
  '10.1.2.0/24',
  '10.1.2.3',
  '0.0.0.0/0',
  '::/0',
  'fd00::/8',
  'fd00::1',
  '255.255.255.255',
  'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
  '192.168.0.0/31',
];
const SOURCES = [
  '10.1.2.3',
  '10.1.2.4',
  '10.1.9.9',
  '10.9.9.9',
  '11.0.0.0',
  '9.255.255.255',
  '0.0.0.0',
  '255.255.255.255',
  '192.168.0.1',
  '192.168.0.2',
  '::',
  '::1',
  'fd00::1',
  'fd00::2',
  'fe80::1',
  '::fffe:ffff:ffff',
  '::1:0:0:0',
  'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
];
const cidrs = fc.uniqueArray(fc.constantFrom(...CIDRS), { minLength: 1, maxLength: 3 });
const sources = fc.array(
  fc.record({ cidrs, mode: fc.constantFrom('observe' as const, 'enforce' as const, null) }),
  { maxLength: 4 },
);

const ruleParts = fc.record({
  hosts,
  action: fc.constantFrom('allow' as const, 'allow' as const, 'deny' as const),
  ports: fc.uniqueArray(fc.constantFrom(22, 80, 443, 8443), { minLength: 1, maxLength: 3 }),
  untilMs: fc.constantFrom(null, null, 1000, 2000),
  from: fc.oneof(fc.constant<string[]>([]), cidrs),
  allowPrivate: fc.boolean(),
  ech: fc.constantFrom(null, 'deny' as const, 'outer' as const),
});

const policies: fc.Arbitrary<ParsedPolicy> = fc
  .record({
    rules: fc.array(ruleParts, { maxLength: 40 }),
    sources,
    mode: fc.constantFrom('observe' as const, 'enforce' as const),
    observeUntilMs: fc.constantFrom(null, 1000, 2000),
    ech: fc.constantFrom('deny' as const, 'outer' as const),
  })
  .map(({ rules, sources, ...rest }) =>
    policyOf(
      rules.map(({ hosts, from, ports, ...parts }, i) =>
        rule(`r${i}`, [], {
          ...parts,
          hosts: hosts as HostPattern[],
          ports: [...ports].sort((a, b) => a - b),
          from: from.map(text => ({ text, cidrs: [toCidr(text)] })),
        }),
      ),
      {
        ...rest,
        sources: sources.map((group, i) => ({
          name: `g${i}`,
          cidrs: group.cidrs.map(toCidr),
          mode: group.mode,
          location: { file: 'policy.yaml', line: 1, col: 1 },
        })),
      },
    ),
  );

const query = fc.record({
  hostname,
  port: fc.constantFrom(22, 80, 443, 8443, 1),
  source: fc.constantFrom(...SOURCES).map(toAddress),
  nowMs: fc.constantFrom(0, 999, 1000, 1999, 2000),
});

describe('the compiled policy', () => {
  it('decides as the plain reading of the rules does', () => {
    fc.assert(
      fc.property(policies, fc.array(query, { minLength: 1, maxLength: 20 }), (parsed, queries) => {
        const policy = Policy.from(compilePolicy(parsed));
        for (const q of queries) {
          const expected = referenceDecide(parsed, q.hostname, q.port, q.source, q.nowMs);
          const ruling = policy.decide(q);
          expect({ state: ruling.state, rule: ruling.rule, mode: ruling.mode }).toEqual({
            ...expected,
            mode: referenceMode(parsed, q.source, q.nowMs),
          });
          const decider = parsed.rules[ruling.rule];
          expect(ruling.ech).toBe(decider?.ech ?? parsed.ech);
          expect(ruling.allowPrivate).toBe(ruling.state === 'MATCHED' && decider?.allowPrivate === true);
        }
      }),
      { numRuns: 400 },
    );
  });

  it('matches a glob as the regular expression does', () => {
    const glob = fc
      .string({ unit: globChar, minLength: 1, maxLength: 7 })
      .filter(text => text.includes('*') && !text.includes('**'));
    const label = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 8 });
    const source = toAddress('10.0.0.1');
    fc.assert(
      fc.property(glob, label, (glob, label) => {
        const policy = Policy.from(compilePolicy(policyOf([rule('r', [`${glob}.com`])])));
        const hostname = toHostname(`${label}.com`);
        const expected = new RegExp(`^${glob.replaceAll('*', '.+')}$`).test(label);
        expect(policy.decide({ hostname, port: 443, source, nowMs: 0 }).state).toBe(
          expected ? 'MATCHED' : 'NO_MATCH',
        );
      }),
      { numRuns: 3000 },
    );
  });

  it('says the same whatever the order of the rules', () => {
    fc.assert(
      fc.property(policies, fc.array(query, { minLength: 1, maxLength: 10 }), (parsed, queries) => {
        const forward = Policy.from(compilePolicy(parsed));
        const backward = Policy.from(compilePolicy({ ...parsed, rules: [...parsed.rules].reverse() }));
        for (const q of queries) {
          const [a, b] = [forward.decide(q), backward.decide(q)];
          expect(b.state).toBe(a.state);
          if (a.rule >= 0) expect(backward.ruleName(b.rule)).toBe(forward.ruleName(a.rule));
        }
      }),
      { numRuns: 100 },
    );
  });
});

function toHostname(text: string): Hostname {
  const parsed = parseHostname(text);
  return parsed.ok ? parsed.hostname : never();
}

function toCidr(text: string): Cidr {
  return Cidr.parse(text) ?? never();
}

function toAddress(text: string): IpAddress {
  return IpAddress.parse(text) ?? never();
}

function never(): never {
  throw new Error('unreachable');
}
