import { describe, expect, test } from 'vitest';
import { compilePolicy } from '../../src/policy/compile.ts';
import { Policy } from '../../src/policy/policy.ts';
import { RulingMemo } from '../../src/policy/ruling-memo.ts';
import type { SeenFlow } from '../../src/policy/seen-flow.ts';
import { seen } from '../flow-log/support.ts';
import { policyOf, rule } from './reference.ts';
import { flowsTo, sitesOf, suggested } from './suggest-support.ts';

const ABC = ['a', 'b', 'c'];
const under = (parent: string, names: readonly string[] = ABC) => names.map(name => `${name}.${parent}`);
const hostsOf = (
  flows: readonly SeenFlow[],
  ...rest: [Parameters<typeof suggested>[1]?, Parameters<typeof suggested>[2]?]
) => suggested(flows, ...rest).rules.flatMap(({ hosts }) => hosts);

describe('a wildcard takes the place of hosts', () => {
  test.each<[string, string[], string[]]>([
    ['three of one parent', under('cdn.example.com'), ['*.cdn.example.com']],
    ['not two', ['a.cdn.example.com', 'b.cdn.example.com'], ['a.cdn.example.com', 'b.cdn.example.com']],
    ['below a registered domain', under('example.co.uk'), ['*.example.co.uk']],
    ['but not its own name', [...under('example.com'), 'example.com'], ['example.com', '*.example.com']],
    ['nor those below', [...under('example.com'), 'x.y.example.com'], ['*.example.com', 'x.y.example.com']],
    ['never below a public suffix', under('co.uk'), under('co.uk')],
    ['never below a top-level domain', under('com'), under('com')],
    ['never below one that customers share', under('github.io'), under('github.io')],
    ['but below a customer of one', under('me.github.io'), ['*.me.github.io']],
    ['never among buckets', under('s3.amazonaws.com'), under('s3.amazonaws.com')],
    [
      'never among accounts',
      under('dkr.ecr.us-east-1.amazonaws.com'),
      under('dkr.ecr.us-east-1.amazonaws.com'),
    ],
    ['never among registries', under('azurecr.io'), under('azurecr.io')],
    ['never among tenants', under('my.salesforce.com'), under('my.salesforce.com')],
    ['never among tunnels', under('loca.lt'), under('loca.lt')],
    ['never among blogs', under('wordpress.com'), under('wordpress.com')],
    ['never where anyone catches requests', under('x1y2.oast.fun'), under('x1y2.oast.fun')],
    ['never below a suffix of nobody', under('internal'), under('internal')],
    ['but below a domain under it', under('corp.internal'), ['*.corp.internal']],
    ['never for single labels', ['db', 'queue', 'cache'], ['cache', 'db', 'queue']],
  ])('%s', (_, hosts, expected) => {
    const found = hostsOf(flowsTo(hosts));
    expect([...found].sort()).toEqual([...expected].sort());
  });

  test('only where their ports are the same', () => {
    expect(hostsOf(flowsTo(['a.example.com', 'b.example.com', 'c.example.com:8443']))).toHaveLength(3);
  });

  test('not where something spoke against one of them', () => {
    const denied = seen({ hostname: 'bad.example.com', state: 'DENIED', reason: 'rule_denied' });
    expect(hostsOf([...flowsTo(under('example.com')), denied])).toEqual(under('example.com'));
  });

  test('but where it was allowed as well', () => {
    const denied = seen({ hostname: 'a.example.com', state: 'DENIED', reason: 'rule_denied' });
    expect(hostsOf([...flowsTo(under('example.com')), denied])).toEqual(['*.example.com']);
  });

  test('not at private addresses', () => {
    expect(hostsOf(flowsTo(under('example.com'), { destination: '10.0.0.9' }))).toEqual(under('example.com'));
  });

  test('as many as are asked for, or none', () => {
    expect(hostsOf(flowsTo(under('example.com')), { minSiblings: 4 })).toEqual(under('example.com'));
    expect(hostsOf(flowsTo(['a.example.com', 'b.example.com']), { minSiblings: 2 })).toEqual([
      '*.example.com',
    ]);
    expect(hostsOf(flowsTo(under('example.com')), { exact: true })).toEqual(under('example.com'));
  });

  test('and says which', () => {
    const [first] = suggested(flowsTo([...under('example.com'), 'x.cdn.example.com'])).rules;
    expect(first?.wildcards).toEqual([{ pattern: '*.example.com', hosts: under('example.com') }]);
  });
});

describe('rules', () => {
  test('one for each registered domain, each with what it was made from', () => {
    const flows = [
      ...flowsTo(['www.example.com'], { timeMs: 5_000, source: '10.0.0.2' }),
      ...flowsTo(['api.example.com'], { timeMs: 1_000, source: '10.0.0.1', flows: 9 }),
      ...flowsTo(['example.net'], { timeMs: null }),
    ];
    expect(suggested(flows).rules.map(({ name, hosts, seen: from }) => ({ name, hosts, from }))).toEqual([
      {
        name: 'example.com',
        hosts: ['api.example.com', 'www.example.com'],
        from: {
          flows: 10,
          sources: 2,
          someSources: ['10.0.0.1', '10.0.0.2'],
          firstSeenMs: 1_000,
          lastSeenMs: 5_000,
        },
      },
      {
        name: 'example.net',
        hosts: ['example.net'],
        from: { flows: 1, sources: 1, someSources: ['10.12.4.21'], firstSeenMs: null, lastSeenMs: null },
      },
    ]);
  });

  test('have the ports that were seen', () => {
    const { rules } = suggested(flowsTo(['a.test:8443', 'a.test:443', 'b.test:80', 'c.test']));
    expect(rules.map(({ name, ports }) => [name, ports])).toEqual([
      ['a.test-443-8443', [443, 8443]],
      ['b.test-80', [80]],
      ['c.test', []],
    ]);
  });

  test('allow private addresses to the hosts that were seen there, and to no other', () => {
    const flows = [
      ...flowsTo(['a.example.com', 'b.example.com']),
      ...flowsTo(['b.example.com'], { destination: '10.0.0.9' }),
    ];
    expect(
      suggested(flows).rules.map(({ name, hosts, allowPrivate }) => [name, hosts, allowPrivate]),
    ).toEqual([
      ['example.com', ['a.example.com'], false],
      ['example.com-private', ['b.example.com'], true],
    ]);
  });

  test('have names that nothing else has', () => {
    const existing = { ruleNames: ['example.com', 'example.com-2', 'example.com-80'], groupNames: [] };
    const { rules } = suggested(flowsTo(['a.example.com', 'a.example.com:80', 'b.example.com:80']), {
      existing,
    });
    expect(rules.map(({ name }) => name)).toEqual(['example.com-80-2', 'example.com-80-443']);
  });

  test('name long hosts by what fits', () => {
    const host = Array.from({ length: 4 }, () => 'x'.repeat(60)).join('.');
    const [first] = suggested(flowsTo([host])).rules;
    expect(first?.hosts).toEqual([host]);
    expect(first?.name).toMatch(/^[x.]{100}$/);
  });
});

describe('by source', () => {
  const sourcePrefix = { v4: 32, v6: 128 };

  test('a rule is for those who were seen', () => {
    const flows = [
      ...flowsTo(['a.test', 'b.test'], { source: '10.0.0.1' }),
      ...flowsTo(['a.test'], { source: '2001:db8::1' }),
    ];
    expect(suggested(flows, {}, { sourcePrefix }).rules.map(({ hosts, from }) => [hosts, from])).toEqual([
      [['b.test'], ['10.0.0.1']],
      [['a.test'], ['10.0.0.1', '2001:db8::1']],
    ]);
  });

  test('many make a group, which rules share', () => {
    const flows = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'].flatMap(source =>
      flowsTo(['a.test', 'b.test', 'c.test:22'], { source }),
    );
    const existing = { ruleNames: [], groupNames: ['sources-1'] };
    const { sources, rules } = suggested(flows, { existing }, { sourcePrefix });
    expect(sources).toEqual([
      { name: 'sources-1-2', cidrs: ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'] },
    ]);
    expect(new Set(rules.flatMap(({ from }) => from))).toEqual(new Set(['sources-1-2']));
  });

  test('or blocks take them together', () => {
    const flows = ['10.0.0.1', '10.0.0.200', '10.0.1.1', '2001:db8::1', '2001:db8::2'].flatMap(source =>
      flowsTo(['a.test'], { source }),
    );
    const [first] = suggested(flows, {}, { sourcePrefix: { v4: 24, v6: 64 } }).rules;
    expect(first?.from).toEqual(['10.0.0.0/24', '10.0.1.0/24', '2001:db8::/64']);
  });

  test('wildcards need three hosts of the same sources', () => {
    const flows = under('example.com').flatMap((host, i) => flowsTo([host], { source: `10.0.0.${i}` }));
    expect(hostsOf(flows, {}, { sourcePrefix })).toEqual(under('example.com'));
  });
});

describe('left out', () => {
  const DENIED: readonly SeenFlow[] = [
    seen({ hostname: 'rule.test', state: 'DENIED', reason: 'rule_denied', rule: 'no' }),
    seen({ hostname: 'guard.test', state: 'DENIED', reason: 'destination_forbidden', destination: null }),
    seen({ hostname: 'nowhere.test', reason: 'unresolvable', action: 'deny' }),
  ];

  test('what something spoke against, unless it is asked for', () => {
    const sites = sitesOf(DENIED);
    expect(sites.list()).toEqual([]);
    expect(sites.denied.list().map(({ hostname, reason, rule: by }) => [hostname, reason, by])).toEqual([
      ['rule.test', 'rule_denied', 'no'],
      ['guard.test', 'destination_forbidden', null],
      ['nowhere.test', 'unresolvable', null],
    ]);
    const all = suggested(DENIED, {}, { includeDenied: true }).rules;
    expect(all.map(({ name, allowPrivate }) => [name, allowPrivate])).toEqual([
      ['guard.test-private', true],
      ['nowhere.test', false],
      ['rule.test', false],
    ]);
  });

  test('what named no host, or none that is one, and what came from nowhere', () => {
    const sites = sitesOf([
      seen({ hostname: null, reason: 'no_hostname' }),
      seen({ hostname: 'a b', flows: 3 }),
      seen({ hostname: '10.0.0.1' }),
      seen({ hostname: 'x'.repeat(300) }),
      seen({ source: 'x', flows: 5 }),
    ]);
    expect(sites.list()).toEqual([]);
    expect(sites.nameless.list()).toMatchObject([{ destination: '54.152.28.6', port: 443, flows: 1 }]);
    expect(sites.misnamed.list().map(({ flows }) => flows)).toEqual([3, 1, 1]);
    expect([sites.sourceless, sites.flows]).toEqual([5, 11]);
  });

  test('what an existing policy allows, or denies by a rule', () => {
    const parsed = policyOf([
      rule('known', ['known.test']),
      rule('inside', ['inside.test'], { allowPrivate: true }),
      rule('never', ['never.test'], { action: 'deny' }),
    ]);
    const policy = Policy.from(compilePolicy(parsed));
    const existing = {
      memo: new RulingMemo(parsed, policy),
      ruleName: (index: number) => policy.ruleName(index),
    };
    const flows = [
      ...flowsTo(['known.test', 'known.test:8443', 'never.test', 'new.test', 'inside.test']),
      ...flowsTo(['known.test', 'inside.test'], { destination: '10.0.0.9' }),
    ];
    for (const includeDenied of [false, true]) {
      const sites = sitesOf(flows, { existing, includeDenied });
      expect(sites.list().map(({ host, port, isPrivate }) => [host, port, isPrivate])).toEqual([
        ['known.test', 443, true],
        ['known.test', 8443, false],
        ['new.test', 443, false],
      ]);
      expect(sites.covered).toBe(3);
      expect(sites.denied.list()).toMatchObject([
        { hostname: 'never.test', reason: 'rule_denied', rule: 'never' },
      ]);
    }
  });
});

test('the order of the flows makes no difference', () => {
  const flows = Array.from({ length: 200 }, (_, i) =>
    seen({
      hostname: `h${i % 17}.d${i % 5}.test`,
      port: i % 11 === 0 ? 8443 : 443,
      source: `10.0.0.${i % 7}`,
      timeMs: i,
    }),
  );
  const options = { sourcePrefix: { v4: 32, v6: 128 } };
  const forward = suggested(flows, {}, options);
  expect(forward.rules.length).toBeGreaterThan(3);
  expect(suggested([...flows].reverse(), {}, options)).toEqual(forward);
});
