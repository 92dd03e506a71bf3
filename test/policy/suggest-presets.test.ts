import { describe, expect, test } from 'vitest';
import { seen } from '../flow-log/support.ts';
import { catalogue, flowsTo, preset, suggested } from './suggest-support.ts';

const HUB = preset('hub', [
  'a.hub.test',
  'b.hub.test',
  'c.hub.test',
  'd.hub.test',
  'e.hub.test',
  'f.hub.test',
  'g.hub.test',
]);
const FEW = preset('few', ['one.few.test', 'two.few.test', 'three.few.test']);
const CDN = preset('cdn', ['cdn.test', '*.data.cdn.test']);
const KMS = preset(
  'kms',
  ['kms.{region}.{dns-suffix}', 'kms-fips.{region}.{dns-suffix}', 'kms.{region}.api.{dualstack-suffix}'],
  { allowPrivate: true },
);
const ECR = preset('ecr', ['{account}.dkr.ecr.{region}.{dns-suffix}', 'api.ecr.{region}.{dns-suffix}'], {
  allowPrivate: true,
});
const WEB = preset('web', ['ocsp.test'], { ports: [80] });
const PRESETS = catalogue(HUB, FEW, CDN, KMS, ECR, WEB);

function rulesFor(
  hosts: readonly string[],
  rest: Parameters<typeof flowsTo>[1] = {},
  options: Parameters<typeof suggested>[1] = {},
) {
  const { rules, vars } = suggested(flowsTo(hosts, rest), { presets: PRESETS, ...options });
  return {
    presets: rules.flatMap(({ presets }) => presets),
    hosts: rules.flatMap(rule => rule.hosts),
    vars,
    rules,
  };
}

describe('a preset takes the place of its hosts', () => {
  test.each<[string, string[], string[]]>([
    ['where a third were seen', ['a.hub.test', 'b.hub.test', 'c.hub.test'], ['hub']],
    ['not where fewer were', ['a.hub.test', 'b.hub.test'], []],
    ['where half of a small one were', ['one.few.test', 'two.few.test'], ['few']],
    ['not where fewer of it were', ['one.few.test'], []],
    ['where its wildcard was needed', ['x.data.cdn.test'], ['cdn']],
    ['not where it was not', ['cdn.test'], []],
    ['where the service was seen in any of its forms', ['kms-fips.eu-west-1.amazonaws.com'], ['kms']],
    ['on its own port', ['ocsp.test:80'], ['web']],
    ['not on another', ['ocsp.test'], []],
  ])('%s', (_, hosts, expected) => {
    const found = rulesFor(hosts);
    expect(found.presets).toEqual(expected);
    expect(found.hosts).toEqual(expected.length > 0 ? [] : hosts.map(host => host.split(':')[0]));
  });

  test('and says what it opens besides', () => {
    const [first] = rulesFor(['kms.eu-west-1.amazonaws.com', 'kms.eu-west-1.amazonaws.com']).rules;
    expect(first).toMatchObject({
      name: 'kms',
      seen: { flows: 2 },
      preset: { opened: 3, unseen: ['kms-fips.eu-west-1.amazonaws.com', 'kms.eu-west-1.api.aws'] },
    });
  });

  test('not of a host that was seen on other ports as well', () => {
    const { rules } = rulesFor(['ocsp.test:80', 'ocsp.test:443']);
    expect(rules.map(({ name, ports }) => [name, ports])).toEqual([['ocsp.test-80-443', [80, 443]]]);
  });

  test('variables have the value that most hosts have; the others are named', () => {
    const hosts = [
      'kms.eu-west-1.amazonaws.com',
      '123456789012.dkr.ecr.eu-west-1.amazonaws.com',
      '999999999999.dkr.ecr.eu-west-1.amazonaws.com',
      'api.ecr.eu-west-1.amazonaws.com',
      'kms.us-east-1.amazonaws.com',
    ];
    const { presets, vars, hosts: named } = rulesFor(hosts);
    expect(presets).toEqual(['ecr', 'kms']);
    expect(vars).toEqual([
      ['account', '123456789012'],
      ['region', 'eu-west-1'],
    ]);
    expect(named).toEqual(['999999999999.dkr.ecr.eu-west-1.amazonaws.com', 'kms.us-east-1.amazonaws.com']);
  });

  test('not where something spoke against one of its hosts', () => {
    const flows = [
      ...flowsTo(['a.hub.test', 'b.hub.test', 'c.hub.test']),
      seen({ hostname: 'g.hub.test', state: 'DENIED', reason: 'rule_denied' }),
    ];
    expect(suggested(flows, { presets: PRESETS }).rules.flatMap(({ presets }) => presets)).toEqual([]);
  });

  test('at private addresses only where it allows them', () => {
    const inside = { destination: '10.0.0.9' };
    expect(rulesFor(['kms.eu-west-1.amazonaws.com'], inside).presets).toEqual(['kms']);
    expect(rulesFor(['one.few.test', 'two.few.test'], inside).presets).toEqual([]);
    const flows = [...flowsTo(['one.few.test', 'two.few.test']), ...flowsTo(['three.few.test'], inside)];
    expect(suggested(flows, { presets: PRESETS }).rules.flatMap(({ presets }) => presets)).toEqual([]);
  });

  test('not when exactly the hosts that were seen are asked for', () => {
    expect(rulesFor(['one.few.test', 'two.few.test'], {}, { exact: true }).presets).toEqual([]);
  });

  test('beside another policy only where it needs no variables', () => {
    const existing = { ruleNames: [], groupNames: [] };
    const found = rulesFor(['one.few.test', 'two.few.test', 'kms.eu-west-1.amazonaws.com'], {}, { existing });
    expect([found.presets, found.vars]).toEqual([['few'], []]);
  });

  test('once where two have a host', () => {
    const presets = catalogue(
      preset('x', ['a.test', 'b.test', 'z.test']),
      preset('y', ['b.test', 'c.test', 'd.test']),
    );
    const { rules } = suggested(flowsTo(['a.test', 'b.test', 'c.test', 'd.test']), { presets });
    expect(rules.map(({ name, hosts }) => [name, hosts])).toEqual([
      ['y', []],
      ['a.test', ['a.test']],
    ]);
  });
});

describe('buckets', () => {
  const s3Of = (hosts: readonly string[], options: Parameters<typeof suggested>[1] = {}) => {
    const { rules } = suggested(flowsTo(hosts), options);
    return {
      s3: rules.flatMap(({ s3 }) => (s3 === null ? [] : [s3])),
      hosts: rules.flatMap(rule => rule.hosts),
    };
  };

  test('are named one by one, with the regions they were seen in', () => {
    const hosts = [
      'logs.s3.us-east-1.amazonaws.com',
      'logs.s3.dualstack.us-east-1.amazonaws.com',
      'logs.s3.amazonaws.com',
      'media.s3.us-east-1.amazonaws.com',
      'media.s3.eu-west-1.amazonaws.com',
      'finance-123456789012.s3-accesspoint.us-east-1.amazonaws.com',
    ];
    expect(s3Of(hosts)).toEqual({
      s3: [
        { buckets: ['media'], accessPoints: [], regions: ['eu-west-1', 'us-east-1'] },
        { buckets: ['logs'], accessPoints: ['finance-123456789012'], regions: ['us-east-1'] },
      ],
      hosts: [],
    });
  });

  test.each<[string, string]>([
    ['whose region no host tells', 'logs.s3.amazonaws.com'],
    ['that the path names', 's3.us-east-1.amazonaws.com'],
    ['with dots, which clients ask for by path', 'a.b.s3.us-east-1.amazonaws.com'],
    ['on another port', 'logs.s3.us-east-1.amazonaws.com:8443'],
  ])('%s stay hosts', (_, host) => {
    expect(s3Of([host])).toEqual({ s3: [], hosts: [host.split(':')[0]] });
  });

  test('of which one form was denied stay hosts', () => {
    const flows = [
      ...flowsTo(['logs.s3.us-east-1.amazonaws.com']),
      seen({ hostname: 'logs.s3.dualstack.us-east-1.amazonaws.com', state: 'DENIED', reason: 'rule_denied' }),
    ];
    expect(suggested(flows).rules.map(({ s3, hosts }) => [s3, hosts])).toEqual([
      [null, ['logs.s3.us-east-1.amazonaws.com']],
    ]);
  });

  test('stay hosts when exactly these are asked for', () => {
    expect(s3Of(['logs.s3.us-east-1.amazonaws.com'], { exact: true }).hosts).toEqual([
      'logs.s3.us-east-1.amazonaws.com',
    ]);
  });
});
