import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Hostname } from '../../src/policy/hostname.ts';
import { CachingResolver } from '../../src/resolve/caching-resolver.ts';
import { FairLookups, type LookupLimits } from '../../src/resolve/fair-lookups.ts';
import type { Resolution, Resolver } from '../../src/resolve/resolver.ts';
import { hostname, ip } from './support.ts';

const GREEDY = ip('192.0.2.1');
const OTHER = ip('192.0.2.2');

/** DNS servers that answer a name when told to. */
class Servers implements Resolver {
  /** Names under way, in the order asked. */
  readonly underWay = new Map<string, (resolution: Resolution) => void>();

  resolve(name: Hostname, done: (resolution: Resolution) => void): void {
    this.underWay.set(name, done);
  }

  answer(name: string, expiresMs = Number.POSITIVE_INFINITY): void {
    const done = this.underWay.get(name);
    this.underWay.delete(name);
    done?.({ ok: true, addresses: [{ ip: ip('198.51.100.7'), guard: 'ok' }], expiresMs });
  }

  get names(): string[] {
    return [...this.underWay.keys()];
  }
}

function lookupsWith(limits: Partial<LookupLimits>) {
  const clock = { nowMs: 1_000_000 };
  const now = () => clock.nowMs;
  const servers = new Servers();
  const lookups = new FairLookups(new CachingResolver(servers, { now }), {
    now,
    limits: { perSourceAndSecond: 0, ...limits },
  });
  const told: string[] = [];
  const ask = (name: string, source: typeof GREEDY | undefined = GREEDY) =>
    lookups.resolve(
      hostname(name),
      resolution => told.push(`${name} ${resolution.ok ? 'ok' : resolution.failure}`),
      source,
    );
  return { clock, servers, ask, told };
}

const names = (count: number, prefix = 'n') =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}.example`);

describe('a source that asks for many names', () => {
  test('has no more lookups under way than are left for others', () => {
    const { servers, ask } = lookupsWith({ concurrent: 8 });
    for (const name of names(20)) ask(name);
    expect(servers.names).toEqual(names(4));
    ask('other.example', OTHER);
    expect(servers.names).toContain('other.example');
  });

  test('has the next one looked up when one is answered', () => {
    const { servers, ask, told } = lookupsWith({ concurrent: 2 });
    for (const name of names(3)) ask(name);
    for (const name of names(3)) {
      expect(servers.names).toEqual([name]);
      servers.answer(name);
    }
    expect(told).toEqual(names(3).map(name => `${name} ok`));
  });

  test('takes turns with others', () => {
    const { servers, ask, told } = lookupsWith({ concurrent: 1 });
    for (const name of names(3)) ask(name);
    for (const name of names(2, 'other')) ask(name, OTHER);
    while (servers.names.length > 0) servers.answer(servers.names[0] ?? '');
    expect(told.map(line => line.split('.')[0])).toEqual(['n0', 'n1', 'other0', 'n2', 'other1']);
  });

  test('is refused when too many of its names wait, and others are not', () => {
    const { ask, told } = lookupsWith({ concurrent: 2, queuedPerSource: 3 });
    for (const name of names(6)) ask(name);
    expect(told).toEqual(['n4.example limited', 'n5.example limited']);
    ask('other.example', OTHER);
    expect(told).toHaveLength(2);
  });

  test('is refused when too many names wait in all', () => {
    const { ask, told } = lookupsWith({ concurrent: 1, queued: 2 });
    for (const name of names(3)) ask(name);
    ask('other.example', OTHER);
    expect(told).toEqual(['other.example limited']);
  });

  test('has so many names a second, ten seconds’ worth at once; another source has its own', () => {
    const { clock, ask, told } = lookupsWith({ perSourceAndSecond: 2, concurrent: 1_000 });
    for (const name of names(25)) ask(name);
    expect(told).toEqual(
      names(25)
        .slice(20)
        .map(name => `${name} limited`),
    );
    ask('other.example', OTHER);
    clock.nowMs += 1_000;
    for (const name of names(3, 'later')) ask(name);
    expect(told.slice(5)).toEqual(['later2.example limited']);
    clock.nowMs -= 3_600_000;
    ask('past.example');
    expect(told.slice(6)).toEqual(['past.example limited']);
  });
});

describe('nothing is spent on', () => {
  test('a name that is known', () => {
    const { servers, ask, told } = lookupsWith({ perSourceAndSecond: 0.1 });
    ask('a.example');
    servers.answer('a.example');
    for (let i = 0; i < 5; i++) ask('a.example');
    expect(told).toEqual(new Array(6).fill('a.example ok'));
  });

  test('a name that is being looked up, for whomever', () => {
    const { servers, ask, told } = lookupsWith({ perSourceAndSecond: 0.1 });
    ask('a.example');
    for (let i = 0; i < 5; i++) ask('a.example', OTHER);
    servers.answer('a.example');
    expect(told).toHaveLength(6);
  });

  test('a name that waits already', () => {
    const { servers, ask, told } = lookupsWith({ concurrent: 1, queuedPerSource: 1 });
    ask('a.example');
    for (let i = 0; i < 5; i++) ask('b.example');
    servers.answer('a.example');
    servers.answer('b.example');
    expect(told).toEqual(['a.example ok', ...new Array(5).fill('b.example ok')]);
  });

  test('what the daemon itself asks', () => {
    const { servers, ask } = lookupsWith({ concurrent: 1, queued: 0 });
    for (const name of names(3)) ask(name, undefined);
    expect(servers.names.length).toBeLessThanOrEqual(3);
  });
});

test('a name that waits behind another source’s is looked up in one’s own turn, and then for both', () => {
  const { servers, ask, told } = lookupsWith({ concurrent: 2 });
  for (const name of names(4)) ask(name);
  ask('n3.example', OTHER);
  expect(servers.names).toEqual(['n0.example', 'n3.example']);
  for (const name of ['n3.example', 'n0.example', 'n1.example', 'n2.example']) servers.answer(name);
  expect(servers.names).toEqual([]);
  expect(told.filter(line => line === 'n3.example ok')).toHaveLength(2);
});

test('everyone is told once, whoever asks for what in whatever order', () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ source: fc.nat(3), name: fc.nat(12) }) },
    { weight: 2, arbitrary: fc.record({ answers: fc.nat(12), expires: fc.boolean() }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), fc.integer({ min: 1, max: 4 }), (steps, concurrent) => {
      const { clock, servers, ask, told } = lookupsWith({ concurrent, queued: 8, queuedPerSource: 4 });
      let asked = 0;
      for (const step of steps) {
        clock.nowMs++;
        if ('name' in step) {
          ask(`n${step.name}.example`, ip(`192.0.2.${step.source}`));
          asked++;
        } else {
          servers.answer(`n${step.answers}.example`, step.expires ? 0 : clock.nowMs + 50);
        }
        expect(servers.names.length).toBeLessThanOrEqual(concurrent);
      }
      while (servers.names.length > 0) servers.answer(servers.names[0] ?? '', 0);
      expect(told).toHaveLength(asked);
    }),
  );
});
