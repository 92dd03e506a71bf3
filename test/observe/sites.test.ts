import { describe, expect, test } from 'vitest';
import { Reporter } from '../../src/observe/reporter.ts';
import { Sites } from '../../src/observe/sites.ts';
import { close, decision, type FlowEvent, tallyOf } from './support.ts';

/** The table after a report for each of `events`. */
function sitesAfter(sites: Sites, ...events: readonly FlowEvent[]): Sites {
  for (const event of events) sites.add(tallyOf(event).sites);
  return sites;
}

function visits(...hostnames: readonly string[]): FlowEvent[] {
  return hostnames.map(hostname => decision({ hostname }));
}

describe('a site', () => {
  const flows = [
    decision({ timeMs: 1_000 }),
    decision({ timeMs: 2_000, state: 'MATCHED', action: 'allow', reason: null, rule: 'registries' }),
    close({ bytesOut: 10, bytesIn: 20 }),
    close({ bytesOut: 1, bytesIn: 2 }),
  ];
  test.each<[string, (sites: Sites) => void]>([
    ['from one report', sites => sites.add(tallyOf(...flows).sites)],
    ['from a report each', sites => sitesAfter(sites, ...flows)],
  ])('sums up its flows %s', (_sentence, feed) => {
    const sites = new Sites();
    feed(sites);
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

  test('whose latest flow no rule decided has no last rule', () => {
    const sites = sitesAfter(new Sites(), decision({ rule: 'old' }), decision({ rule: null }), close());
    expect(sites.list()[0]?.lastRule).toBeNull();
  });

  test('is not seen again by the close of its flow', () => {
    const sites = sitesAfter(new Sites(), decision({ timeMs: 1_000 }), close({ timeMs: 9_000 }));
    expect(sites.list()[0]?.lastSeenMs).toBe(1_000);
  });
});

describe('a flow', () => {
  const cases: readonly [string, Parameters<typeof decision>[0], readonly string[]][] = [
    ['with a hostname is listed by it', {}, ['registry-1.docker.io:443']],
    ['without one is listed by its destination address', { hostname: null }, ['54.152.28.6:443']],
    ['with neither is not listed', { hostname: null, dstIp: null }, []],
    ['that is denied is listed all the same', { action: 'deny' }, ['registry-1.docker.io:443']],
  ];
  test.each(cases)('%s', (_sentence, overrides, expected) => {
    const sites = sitesAfter(new Sites(), decision(overrides), close());
    expect(sites.list().map(({ host, port }) => `${host}:${port}`)).toEqual(expected);
  });
});

test('another port is another site', () => {
  const sites = new Sites();
  sites.add(tallyOf(decision(), decision({ dstPort: 8443 })).sites);
  expect(sites.list().map(site => site.port)).toEqual([443, 8443]);
});

test('sites are listed in the order first seen, whatever was seen since', () => {
  const sites = sitesAfter(new Sites(), ...visits('b.example', 'a.example', 'b.example'));
  expect(sites.list().map(site => site.host)).toEqual(['b.example', 'a.example']);
});

test('the site seen longest ago makes room, and its late bytes bring it not back', () => {
  const sites = sitesAfter(
    new Sites(2),
    ...visits('a.example', 'b.example', 'a.example', 'c.example'),
    close({ hostname: 'b.example' }),
  );
  expect(sites.list().map(site => site.host)).toEqual(['a.example', 'c.example']);
  expect(sites.evictions).toBe(1);
});

test('late bytes are no use: they keep no site from making room', () => {
  const sites = sitesAfter(
    new Sites(2),
    ...visits('a.example', 'b.example'),
    close({ hostname: 'a.example' }),
    ...visits('c.example'),
  );
  expect(sites.list().map(site => site.host)).toEqual(['b.example', 'c.example']);
});

test('a hundred thousand random names leave no more than the bound, were they all in one report', () => {
  const reporter = new Reporter({ format: 'json', gateway: 'gw', saysFlows: false });
  for (let i = 0; i < 100_000; i++) reporter.decided(decision({ hostname: `n${i}.example` }));
  const sites = new Sites(500);
  sites.add(reporter.take().tally.sites);
  expect(sites.size).toBe(500);
  expect(sites.evictions).toBe(99_500);
});

test('a list is a copy', () => {
  const sites = sitesAfter(new Sites(), decision());
  const before = sites.list();
  sitesAfter(sites, decision());
  expect(before[0]?.states.NO_MATCH).toBe(1);
});
