import { describe, expect, test } from 'vitest';
import { Sites } from '../../src/observe/sites.ts';
import { close, decision } from './support.ts';

test('a site sums up its flows', () => {
  const sites = new Sites();
  sites.decided(decision({ timeMs: 1_000 }));
  sites.decided(
    decision({ timeMs: 2_000, state: 'MATCHED', action: 'allow', reason: null, rule: 'registries' }),
  );
  sites.closed(close({ bytesOut: 10, bytesIn: 20 }));
  sites.closed(close({ bytesOut: 1, bytesIn: 2 }));
  expect(sites.list()).toEqual([
    {
      host: 'registry-1.docker.io',
      protocol: 'tcp',
      port: 443,
      firstSeenMs: 1_000,
      lastSeenMs: 2_000,
      states: { MATCHED: 1, NO_MATCH: 1, DENIED: 0 },
      actions: { allow: 1, deny: 0, 'would-deny': 1 },
      lastRule: 'registries',
      bytesOut: 11,
      bytesIn: 22,
    },
  ]);
});

describe('a flow', () => {
  const cases: readonly [string, Parameters<typeof decision>[0], readonly string[]][] = [
    ['with a hostname is listed by it', {}, ['registry-1.docker.io:443']],
    ['without one is listed by its destination address', { hostname: null }, ['54.152.28.6:443']],
    ['with neither is not listed', { hostname: null, dstIp: null }, []],
    ['that is denied is listed all the same', { action: 'deny' }, ['registry-1.docker.io:443']],
  ];
  test.each(cases)('%s', (_sentence, overrides, expected) => {
    const sites = new Sites();
    sites.decided(decision(overrides));
    sites.closed(close());
    expect(sites.list().map(({ host, port }) => `${host}:${port}`)).toEqual(expected);
  });
});

test('another port is another site', () => {
  const sites = new Sites();
  sites.decided(decision());
  sites.decided(decision({ dstPort: 8443 }));
  expect(sites.list().map(site => site.port)).toEqual([443, 8443]);
});

test('sites are listed in the order first seen, whatever was seen since', () => {
  const sites = new Sites();
  for (const hostname of ['b.example', 'a.example', 'b.example']) sites.decided(decision({ hostname }));
  expect(sites.list().map(site => site.host)).toEqual(['b.example', 'a.example']);
});

test('the site seen longest ago makes room, and its late bytes bring it not back', () => {
  const sites = new Sites(2);
  for (const hostname of ['a.example', 'b.example', 'a.example', 'c.example'])
    sites.decided(decision({ hostname }));
  sites.closed(close({ hostname: 'b.example' }));
  expect(sites.list().map(site => site.host)).toEqual(['a.example', 'c.example']);
  expect(sites.evictions).toBe(1);
});

test('a hundred thousand random names leave no more than the bound', () => {
  const sites = new Sites(500);
  for (let i = 0; i < 100_000; i++) sites.decided(decision({ hostname: `n${i}.example` }));
  expect(sites.size).toBe(500);
  expect(sites.evictions).toBe(99_500);
});

test('a reset forgets the sites and counts evictions on', () => {
  const sites = new Sites(1);
  for (const hostname of ['a.example', 'b.example']) sites.decided(decision({ hostname }));
  sites.reset();
  expect(sites.list()).toEqual([]);
  expect(sites.evictions).toBe(1);
  sites.decided(decision());
  expect(sites.size).toBe(1);
});

test('a list is a copy', () => {
  const sites = new Sites();
  sites.decided(decision());
  const before = sites.list();
  sites.decided(decision());
  expect(before[0]?.states.NO_MATCH).toBe(1);
});
