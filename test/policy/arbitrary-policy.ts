import fc from 'fast-check';
import { Cidr, IpAddress } from '../../src/policy/address.ts';
import { type Hostname, parseHostname } from '../../src/policy/hostname.ts';
import { type HostPattern, parsePattern } from '../../src/policy/pattern.ts';
import type { ParsedPolicy } from '../../src/policy/rules.ts';
import { policyOf, rule } from './reference.ts';

// Few letters and few blocks, so that random rules and random queries meet.
const literal = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 3 });
export const globChar = fc.constantFrom('a', 'b', '*');
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
const ENDPOINTS = ['vpce-0a', 'vpce-0a1', 'vpce-0b', 'vpce-0c'];
const endpoints = fc.uniqueArray(fc.constantFrom(...ENDPOINTS), { maxLength: 2 });
const sources = fc.array(
  fc.record({
    cidrs,
    vpcEndpoints: endpoints,
    mode: fc.constantFrom('observe' as const, 'enforce' as const, null),
  }),
  { maxLength: 4 },
);

const ruleParts = fc.record({
  hosts,
  action: fc.constantFrom('allow' as const, 'allow' as const, 'deny' as const),
  ports: fc.uniqueArray(fc.constantFrom(22, 80, 443, 8443), { minLength: 1, maxLength: 3 }),
  untilMs: fc.constantFrom(null, null, 1000, 2000),
  from: fc.oneof(fc.constant<string[]>([]), cidrs),
  fromEndpoints: fc.oneof(fc.constant<string[]>([]), endpoints),
  allowPrivate: fc.boolean(),
  ech: fc.constantFrom(null, 'deny' as const, 'outer' as const),
});

export const policies: fc.Arbitrary<ParsedPolicy> = fc
  .record({
    rules: fc.array(ruleParts, { maxLength: 40 }),
    sources,
    mode: fc.constantFrom('observe' as const, 'enforce' as const),
    observeUntilMs: fc.constantFrom(null, 1000, 2000),
    ech: fc.constantFrom('deny' as const, 'outer' as const),
  })
  .map(({ rules, sources, ...rest }) =>
    policyOf(
      rules.map(({ hosts, from, fromEndpoints, ports, ...parts }, i) =>
        rule(`r${i}`, [], {
          ...parts,
          hosts: hosts as HostPattern[],
          ports: [...ports].sort((a, b) => a - b),
          from: [
            ...from.map(text => ({ text, cidrs: [toCidr(text)] })),
            ...fromEndpoints.map(id => ({ text: `of-${id}`, cidrs: [], vpcEndpoints: [id] })),
          ],
        }),
      ),
      {
        ...rest,
        sources: sources.map((group, i) => ({
          name: `g${i}`,
          cidrs: group.cidrs.map(toCidr),
          vpcEndpoints: group.vpcEndpoints,
          mode: group.mode,
          location: { file: 'policy.yaml', line: 1, col: 1 },
        })),
      },
    ),
  );

export const query = fc.record({
  hostname,
  port: fc.constantFrom(22, 80, 443, 8443, 1),
  source: fc.constantFrom(...SOURCES).map(toAddress),
  vpcEndpoint: fc.constantFrom(undefined, undefined, ...ENDPOINTS, 'vpce-0', 'vpce-0d'),
  nowMs: fc.constantFrom(0, 999, 1000, 1999, 2000),
});

export function toHostname(text: string): Hostname {
  const parsed = parseHostname(text);
  return parsed.ok ? parsed.hostname : never();
}

function toCidr(text: string): Cidr {
  return Cidr.parse(text) ?? never();
}

export function toAddress(text: string): IpAddress {
  return IpAddress.parse(text) ?? never();
}

function never(): never {
  throw new Error('unreachable');
}
