import fc from 'fast-check';
import type { PolicyDocument, QueryDocument, RuleDocument, Zone } from '../policy/document.ts';
import type { NaivePolicy } from '../policy/naive-policy.ts';

const TCP_NAMES = ['git.example', 'db.example', 'mail.example'] as const;
const ADDRESSES = ['203.0.113.7', '203.0.113.8', '198.51.100.1', '2001:db8::7', '2001:db8:1::1'] as const;
const BLOCKS = [
  '10.0.0.0/8',
  '10.1.0.0/16',
  '10.1.2.0/24',
  '10.1.2.3',
  '10.1.2.3/32',
  '0.0.0.0/0',
  '::/0',
  'fd00::/8',
  'fd00::1',
  '192.168.0.0/31',
] as const;
const SOURCES = [
  '10.1.2.3',
  '10.1.2.4',
  '10.1.9.9',
  '10.9.9.9',
  '11.0.0.0',
  '192.168.0.1',
  'fd00::1',
  'fd00::2',
  '2001:db8::1',
] as const;
const TIMES = ['2026-12-01T00:00:00Z', '2027-01-31T12:00:00Z'] as const;
const REGIONS = ['us-east-1', 'eu-west-1'] as const;
const PRESETS = ['docker-hub', 'ecr', 'ocsp-crl', 'ecs-agent', 'sts'] as const;
const BUCKETS = ['app-artifacts', 'team-*-logs', 'logs', '*-public'] as const;
const PORTS = [22, 80, 443, 8443] as const;

const label = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 3 }) },
  {
    weight: 3,
    arbitrary: fc
      .string({ unit: fc.constantFrom('a', 'b', '-', '*'), minLength: 1, maxLength: 5 })
      .filter(text => !text.includes('**') && !text.startsWith('-') && !text.endsWith('-')),
  },
  { weight: 1, arbitrary: fc.constantFrom('{region}', 'A', 'x-{region}') },
);
const host = fc
  .tuple(
    fc.constantFrom('', '', '**.'),
    fc.array(label, { minLength: 1, maxLength: 3 }),
    fc.constantFrom('example', 'com'),
  )
  .map(([deep, labels, top]) => `${deep}${labels.join('.')}.${top}`);

const from = fc.uniqueArray(fc.constantFrom(...BLOCKS, 'build', 'legacy'), { minLength: 1, maxLength: 3 });
const ports = fc.uniqueArray(fc.constantFrom(...PORTS), { minLength: 1, maxLength: 3 });
const common = {
  action: fc.constantFrom('allow' as const, 'allow' as const, 'allow' as const, 'deny' as const),
  from,
  until: fc.constantFrom(...TIMES),
  allowPrivate: fc.boolean(),
};
const ech = fc.constantFrom('deny' as const, 'outer' as const);
const namedRule = fc.record(
  {
    hosts: fc.uniqueArray(host, { minLength: 1, maxLength: 3 }),
    ports,
    ...common,
    ech,
    name: fc.constant(''),
  },
  { requiredKeys: ['name', 'hosts'] },
);
const listRule = fc.oneof(
  fc.record(
    {
      presets: fc.uniqueArray(fc.constantFrom(...PRESETS), { minLength: 1, maxLength: 2 }),
      ...common,
      ech,
      name: fc.constant(''),
    },
    { requiredKeys: ['name', 'presets'] },
  ),
  fc.record(
    {
      s3: fc.record(
        {
          buckets: fc.uniqueArray(fc.constantFrom(...BUCKETS), { minLength: 1, maxLength: 2 }),
          regions: fc.uniqueArray(fc.constantFrom(...REGIONS), { minLength: 1 }),
        },
        { requiredKeys: ['buckets'] },
      ),
      ...common,
      ech,
      name: fc.constant(''),
    },
    { requiredKeys: ['name', 's3'] },
  ),
);
const tcpRule = fc.oneof(
  fc.record(
    {
      hosts: fc.uniqueArray(fc.constantFrom(...TCP_NAMES), { minLength: 1 }),
      ports,
      ...common,
      name: fc.constant(''),
    },
    { requiredKeys: ['name', 'hosts', 'ports'] },
  ),
  fc.record(
    {
      cidrs: fc.uniqueArray(
        fc.constantFrom('203.0.113.0/24', '203.0.113.7', '2001:db8::/32', '198.51.100.0/25'),
        {
          minLength: 1,
        },
      ),
      ports,
      ...common,
      name: fc.constant(''),
    },
    { requiredKeys: ['name', 'cidrs', 'ports'] },
  ),
);
const rule: fc.Arbitrary<RuleDocument> = fc.oneof(
  { weight: 8, arbitrary: namedRule.map(one => ({ ...one, acceptPublicSuffix: true })) },
  { weight: 1, arbitrary: listRule.map(one => ({ ...one, acceptPublicSuffix: true })) },
  { weight: 2, arbitrary: tcpRule.map(one => ({ ...one, protocol: 'tcp' as const })) },
);

const group = fc.record(
  {
    cidrs: fc.uniqueArray(fc.constantFrom(...BLOCKS), { minLength: 1, maxLength: 3 }),
    mode: fc.constantFrom('observe' as const, 'enforce' as const),
  },
  { requiredKeys: ['cidrs'] },
);

/** Policies of few letters and few blocks, so that rules overlap and queries meet them. */
export const policyDocuments: fc.Arbitrary<PolicyDocument> = fc
  .record(
    {
      version: fc.constant(1 as const),
      mode: fc.constantFrom('observe' as const, 'enforce' as const),
      observeUntil: fc.constantFrom(...TIMES),
      ech: fc.constantFrom('deny' as const, 'outer' as const),
      vars: fc.record({
        region: fc.constantFrom<(string | readonly string[])[]>('us-east-1', ['us-east-1', 'eu-west-1']),
        account: fc.constant('123456789012'),
      }),
      sources: fc.record({ build: group, legacy: group }),
      rules: fc.array(rule, { maxLength: 10 }),
    },
    { requiredKeys: ['version', 'mode', 'ech', 'vars', 'sources', 'rules'] },
  )
  .map(policy => ({ ...policy, rules: policy.rules.map((one, i) => ({ ...one, name: `r${i}` })) }));

/** How a query is made from a policy: near one of its patterns. */
export interface Approach {
  readonly pattern: number;
  readonly fill: string;
  readonly twist: 'none' | 'less' | 'more' | 'letter' | 'apex';
  readonly port: number;
  readonly source: string;
  readonly nowMs: number;
  readonly address: string | null;
}

export const approaches: fc.Arbitrary<Approach> = fc.record({
  pattern: fc.nat(400),
  fill: fc.constantFrom('a', 'b', 'ab', 'a-b', 'aab'),
  twist: fc.constantFrom('none', 'none', 'none', 'less', 'more', 'letter', 'apex'),
  port: fc.constantFrom(443, 443, 443, 80, 22, 8443, 1),
  source: fc.constantFrom(...SOURCES),
  nowMs: fc.constantFrom(
    ...TIMES.flatMap(time => [Date.parse(time) - 1, Date.parse(time)]),
    Date.UTC(2026, 10, 21),
  ),
  address: fc.option(fc.constantFrom(...ADDRESSES)),
});

/** The queries of approaches; patterns are counted over all rules. */
export function queriesNear(
  policy: PolicyDocument,
  naive: NaivePolicy,
  approaches: readonly Approach[],
): QueryDocument[] {
  const patterns = policy.rules.flatMap(one =>
    one.protocol === 'tcp' ? (one.hosts ?? []) : naive.hostsOf(one).map(({ pattern }) => pattern),
  );
  return approaches.map(approach => {
    return queryNear(patterns[approach.pattern % Math.max(patterns.length, 1)] ?? 'a.example', approach);
  });
}

function queryNear(pattern: string, { fill, twist, port, source, nowMs, address }: Approach): QueryDocument {
  const rest = { port, source, nowMs, address };
  const name = pattern.replace(/^\*\*/, `x.${fill}`).replaceAll('*', fill);
  const [first = '', ...others] = name.split('.');
  switch (twist) {
    case 'none':
      return { hostname: name, ...rest };
    case 'less':
      return { hostname: name.replace(/a(?=.*\.)/, 'b'), ...rest };
    case 'more':
      return { hostname: `${fill}.${name}`, ...rest };
    case 'letter':
      return { hostname: [`${first}a`, ...others].join('.'), ...rest };
    case 'apex':
      return { hostname: others.length > 0 ? others.join('.') : name, ...rest };
    default:
      return twist satisfies never;
  }
}

/** What the names of tcp rules resolve to. */
export const zones: fc.Arbitrary<Zone> = fc
  .array(fc.subarray([...ADDRESSES]), { minLength: TCP_NAMES.length, maxLength: TCP_NAMES.length })
  .map(lists => Object.fromEntries(TCP_NAMES.map((name, i) => [name, lists[i] ?? []])));
