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

const counts = (sites: Sites) => sites.rows().map(({ count }) => count);
const hosts = (sites: Sites) => counts(sites).map(({ host }) => host);

describe('a row', () => {
  const flows = [
    decision({ timeMs: 1_000, ech: true, protocol: 'connect' }),
    decision({ timeMs: 2_000, state: 'MATCHED', action: 'allow', reason: null, rule: 'registries' }),
    close({ bytesOut: 10, bytesIn: 20, reason: 'name_mismatch' }),
    close({ bytesOut: 1, bytesIn: 2 }),
  ];
  test.each<[string, (sites: Sites) => void]>([
    ['from one report', sites => sites.add(tallyOf(...flows).sites)],
    ['from a report each', sites => sitesAfter(sites, ...flows)],
  ])('sums up the flows of a source to a site %s', (_sentence, feed) => {
    const sites = new Sites();
    feed(sites);
    expect(counts(sites)).toEqual([
      {
        source: '10.12.4.21',
        host: 'registry-1.docker.io',
        port: 443,
        firstSeenMs: 1_000,
        lastSeenMs: 2_000,
        states: { MATCHED: 1, NO_MATCH: 1, DENIED: 0 },
        actions: { allow: 1, deny: 0, 'would-deny': 1 },
        reasons: { not_allowed: 1 },
        ech: 1,
        switched: 1,
        protocols: 1 + 4,
        lastRule: 'registries',
        bytesOut: 11,
        bytesIn: 22,
      },
    ]);
  });

  test('whose latest flow no rule decided has no last rule', () => {
    const sites = sitesAfter(new Sites(), decision({ rule: 'old' }), decision({ rule: null }), close());
    expect(counts(sites)[0]?.lastRule).toBeNull();
  });

  test('is not seen again by the close of its flow', () => {
    const sites = sitesAfter(new Sites(), decision({ timeMs: 1_000 }), close({ timeMs: 9_000 }));
    expect(counts(sites)[0]?.lastSeenMs).toBe(1_000);
  });

  test('keeps its times in order when the clock is set back, and its rule up to date', () => {
    const sites = sitesAfter(
      new Sites(),
      decision({ timeMs: 9_000, rule: 'old' }),
      decision({ timeMs: 5_000, rule: 'new' }),
    );
    expect(counts(sites)).toMatchObject([{ firstSeenMs: 5_000, lastSeenMs: 9_000, lastRule: 'new' }]);
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
    expect(counts(sites).map(({ host, port }) => `${host}:${port}`)).toEqual(expected);
  });
});

test('another port is another site, another source is the same one', () => {
  const sites = new Sites();
  sites.add(tallyOf(decision(), decision({ dstPort: 8443 }), decision({ srcIp: '10.0.0.1' })).sites);
  expect(counts(sites).map(({ source, port }) => [source, port])).toEqual([
    ['10.12.4.21', 443],
    ['10.12.4.21', 8443],
    ['10.0.0.1', 443],
  ]);
  expect(sites.size).toBe(2);
});

test('rows are in the order first seen, whatever was seen since', () => {
  const sites = sitesAfter(new Sites(), ...visits('b.example', 'a.example', 'b.example'));
  expect(hosts(sites)).toEqual(['b.example', 'a.example']);
});

describe('room', () => {
  test('is made by the row seen longest ago, and its late bytes bring it not back', () => {
    const sites = sitesAfter(
      new Sites({ maxSites: 2 }),
      ...visits('a.example', 'b.example', 'a.example', 'c.example'),
      close({ hostname: 'b.example' }),
    );
    expect(hosts(sites)).toEqual(['a.example', 'c.example']);
    expect([sites.size, sites.evictions]).toEqual([2, 1]);
  });

  test('is not kept by late bytes', () => {
    const sites = sitesAfter(
      new Sites({ maxSites: 2 }),
      ...visits('a.example', 'b.example'),
      close({ hostname: 'a.example' }),
      ...visits('c.example'),
    );
    expect(hosts(sites)).toEqual(['b.example', 'c.example']);
  });

  test('is bounded under a hundred thousand random names, were they all in one report', () => {
    const reporter = new Reporter({ format: 'json', gateway: 'gw', saysFlows: false, fold: null });
    for (let i = 0; i < 100_000; i++) reporter.decided(decision({ hostname: `n${i}.example` }));
    const sites = new Sites({ maxSites: 500 });
    sites.add(reporter.take().tally.sites);
    expect([sites.size, sites.rows().length, sites.evictions]).toEqual([500, 500, 99_500]);
  });
});

describe('a flood of names that nothing comes of', () => {
  const allowed = { state: 'MATCHED', action: 'allow', reason: null, rule: 'r' } as const;
  const hundred = (rest: Parameters<typeof decision>[0]) =>
    Array.from({ length: 100 }, (_, i) => decision({ hostname: `real${i}.example`, ...rest }));
  const flood = (rest: Parameters<typeof decision>[0]) =>
    Array.from({ length: 5_000 }, (_, i) => decision({ hostname: `random${i}.example`, ...rest }));
  const real = (sites: Sites) => hosts(sites).filter(host => host.startsWith('real')).length;

  test.each<[string, readonly FlowEvent[], Parameters<typeof decision>[0]]>([
    ['refused', hundred(allowed), { action: 'deny' }],
    ['observed once each', [...hundred({}), ...hundred({})], {}],
  ])('%s, takes the tenth part of the table at most', (_sentence, before, rest) => {
    const sites = sitesAfter(new Sites({ maxSites: 100 }), ...before);
    sitesAfter(sites, ...flood(rest));
    expect([sites.rows().length, real(sites)]).toEqual([100, 89]);
    expect(hosts(sites)).toContain('random4999.example');
  });

  test('leaves a refused name that has come to be allowed', () => {
    const sites = sitesAfter(new Sites({ maxSites: 100 }), ...hundred(allowed).slice(1));
    sitesAfter(sites, decision({ action: 'deny' }), decision(allowed), ...flood({ action: 'deny' }));
    expect(hosts(sites)).toContain('registry-1.docker.io');
  });
});

describe('age', () => {
  const at = (timeMs: number, hostname: string) => decision({ timeMs, hostname });
  const aged = (...events: readonly FlowEvent[]) => sitesAfter(new Sites({ maxAgeMs: 1_000 }), ...events);

  test('takes what was not seen for so long', () => {
    const sites = aged(
      at(0, 'old.example'),
      at(0, 'again.example'),
      at(900, 'again.example'),
      at(950, 'new.example'),
    );
    sites.prune(1_500);
    expect(hosts(sites)).toEqual(['again.example', 'new.example']);
    expect([sites.size, sites.evictions]).toEqual([2, 0]);
  });

  test('takes nothing when the clock is set back', () => {
    const sites = aged(at(5_000, 'a.example'), at(5_100, 'b.example'));
    sites.prune(10);
    expect(sites.size).toBe(2);
  });
});

test('what is cleared is counted, and counting starts anew', () => {
  const sites = sitesAfter(new Sites(), ...visits('a.example', 'b.example'), decision({ srcIp: '10.0.0.1' }));
  expect(sites.clear()).toBe(3);
  expect([sites.size, sites.rows()]).toEqual([0, []]);
  expect(hosts(sitesAfter(sites, ...visits('c.example')))).toEqual(['c.example']);
});
