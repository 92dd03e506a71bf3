import { afterEach, expect, test } from 'vitest';
import { createResolver } from '../../src/resolve/create-resolver.ts';
import { DestinationGuard } from '../../src/resolve/guard.ts';
import { type DnsServer, startDnsServer } from '../support/dns-server.ts';
import { hostname, ip, outcome, resolveOnce } from './support.ts';

let server: DnsServer;

afterEach(() => server.close());

async function setUp(nowMs: () => number = () => 0) {
  server = await startDnsServer({
    'www.example.com': [{ type: 'A', data: '192.0.2.1', ttl: 30 }],
    'inside.example.com': [{ type: 'A', data: '10.0.0.1', ttl: 30 }],
    'meta.example.com': [{ type: 'AAAA', data: '64:ff9b::a9fe:a9fe', ttl: 30 }],
    'static.example.com': [{ type: 'A', data: '192.0.2.66', ttl: 30 }],
  });
  return createResolver({
    servers: [server.server],
    hosts: new Map([
      [hostname('static.example.com'), [ip('10.1.2.3'), ip('192.0.2.9')]],
      [hostname('nowhere.example.com'), []],
    ]),
    guard: new DestinationGuard({ allow: [], deny: [] }),
    now: nowMs,
  });
}

test('a static host is answered at once, in the order given, judged, and never asked for', async () => {
  const resolver = await setUp();
  const answers: unknown[] = [];
  resolver.resolve(hostname('static.example.com'), resolution => answers.push(resolution));
  expect(answers).toMatchObject([{ ok: true, addresses: [{ guard: 'private' }, { guard: 'ok' }] }]);
  expect(outcome(await resolveOnce(resolver, 'static.example.com'))).toEqual(['10.1.2.3', '192.0.2.9']);
  expect(server.queries).toEqual([]);
});

test('a static host without addresses is unknown', async () => {
  expect(outcome(await resolveOnce(await setUp(), 'nowhere.example.com'))).toBe('unknown');
});

test('resolved addresses carry their verdicts', async () => {
  const resolver = await setUp();
  expect(await resolveOnce(resolver, 'www.example.com')).toMatchObject({ addresses: [{ guard: 'ok' }] });
  expect(await resolveOnce(resolver, 'inside.example.com')).toMatchObject({
    addresses: [{ guard: 'private' }],
  });
  expect(await resolveOnce(resolver, 'meta.example.com')).toMatchObject({
    addresses: [{ guard: 'forbidden' }],
  });
});

test('a name is asked for once, by many at a time and until its TTL ends', async () => {
  let nowMs = 0;
  const resolver = await setUp(() => nowMs);
  const many = Array.from({ length: 50 }, () => resolveOnce(resolver, 'www.example.com'));
  expect((await Promise.all(many)).map(outcome)).toEqual(many.map(() => ['192.0.2.1']));
  nowMs = 29_999;
  await resolveOnce(resolver, 'www.example.com');
  expect(server.queries.map(query => query.type).toSorted()).toEqual(['A', 'AAAA']);
  nowMs = 30_000;
  await resolveOnce(resolver, 'www.example.com');
  expect(server.queries).toHaveLength(4);
});
