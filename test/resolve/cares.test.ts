import { afterEach, describe, expect, test } from 'vitest';
import { type After, CaresResolver, type ResolveLimits } from '../../src/resolve/cares.ts';
import type { GuardVerdict } from '../../src/resolve/resolver.ts';
import {
  type DnsHandler,
  type DnsRecord,
  type DnsServer,
  type DnsZone,
  startDnsServer,
} from '../support/dns-server.ts';
import { outcome, resolveOnce } from './support.ts';

const NOW_MS = 1_000_000;
let server: DnsServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** Timers of the named delays fire at once, the others never. */
function firing(...delaysMs: number[]): After {
  return (delayMs, fire) => {
    if (!delaysMs.includes(delayMs)) return () => {};
    const immediate = setImmediate(fire);
    return () => clearImmediate(immediate);
  };
}

interface Setup {
  readonly limits?: Partial<ResolveLimits>;
  readonly after?: After;
  readonly judge?: () => GuardVerdict;
}

async function resolverOver(
  source: DnsZone | DnsHandler,
  { limits = {}, after = firing(), judge = () => 'ok' }: Setup = {},
) {
  server = await startDnsServer(source);
  return new CaresResolver({ servers: [server.server], judge, now: () => NOW_MS, limits, after });
}

const a = (data: string, ttl = 60): DnsRecord => ({ type: 'A', data, ttl });
const aaaa = (data: string, ttl = 60): DnsRecord => ({ type: 'AAAA', data, ttl });

describe('addresses', () => {
  const cases: readonly [string, DnsZone, readonly string[] | string][] = [
    ['of one family alone', { 'x.test': [a('192.0.2.1')] }, ['192.0.2.1']],
    ['of IPv6 alone', { 'x.test': [aaaa('2001:db8::1')] }, ['2001:db8::1']],
    [
      'of both families take turns, IPv6 first',
      {
        'x.test': [a('192.0.2.1'), a('192.0.2.2'), a('192.0.2.3'), aaaa('2001:db8::1'), aaaa('2001:db8::2')],
      },
      ['2001:db8::1', '192.0.2.1', '2001:db8::2', '192.0.2.2', '192.0.2.3'],
    ],
    [
      'are named once',
      { 'x.test': [a('192.0.2.1'), a('192.0.2.1'), aaaa('::ffff:192.0.2.1')] },
      ['192.0.2.1'],
    ],
    [
      'are found behind an alias',
      { 'x.test': [{ type: 'CNAME', data: 'y.test', ttl: 60 }], 'y.test': [a('192.0.2.9')] },
      ['192.0.2.9'],
    ],
    ['do not exist for a name that does not', {}, 'unknown'],
    ['do not exist for a name without any', { 'x.test': [] }, 'unknown'],
    ['are out of reach when the server fails', { 'x.test': 'SERVFAIL' }, 'unreachable'],
  ];
  test.each(cases)('%s', async (_sentence, zone, expected) => {
    const resolver = await resolverOver(zone);
    expect(outcome(await resolveOnce(resolver, 'x.test'))).toEqual(expected);
  });

  test('are kept up to the bound, both families among them', async () => {
    // 20 of each fit into one UDP answer.
    const records = Array.from({ length: 20 }, (_, i) => [a(`192.0.2.${i}`), aaaa(`2001:db8::${i}`)]).flat();
    const resolver = await resolverOver({ 'x.test': records });
    const addresses = outcome(await resolveOnce(resolver, 'x.test'));
    expect(addresses).toHaveLength(32);
    expect(addresses.slice(0, 2)).toEqual(['2001:db8::', '192.0.2.0']);
  });

  test('carry the verdict of the guard', async () => {
    const resolver = await resolverOver({ 'x.test': [a('10.0.0.1')] }, { judge: () => 'private' });
    expect(await resolveOnce(resolver, 'x.test')).toMatchObject({ addresses: [{ guard: 'private' }] });
  });
});

describe('a resolution expires', () => {
  const alias: DnsRecord = { type: 'CNAME', data: 'y.test', ttl: 20 };
  const cases: readonly [string, DnsZone, number][] = [
    [
      'with the shortest TTL of its records',
      { 'x.test': [a('192.0.2.1', 90), aaaa('2001:db8::1', 40)] },
      40_000,
    ],
    [
      "with an alias' TTL when that is shorter",
      { 'x.test': [alias], 'y.test': [a('192.0.2.1', 90)] },
      20_000,
    ],
    ['after a second at the earliest', { 'x.test': [a('192.0.2.1', 0)] }, 1_000],
    ['after five minutes at the latest', { 'x.test': [a('192.0.2.1', 86_400)] }, 300_000],
    ['after five seconds when the name is unknown', {}, 5_000],
    ['after a second when the servers fail', { 'x.test': 'SERVFAIL' }, 1_000],
  ];
  test.each(cases)('%s', async (_sentence, zone, ttlMs) => {
    const resolver = await resolverOver(zone);
    expect((await resolveOnce(resolver, 'x.test')).expiresMs).toBe(NOW_MS + ttlMs);
  });
});

describe('when one family is missing or late', () => {
  const onlyIPv4: DnsHandler = ({ type }) => (type === 'A' ? [a('192.0.2.1', 60)] : 'silence');
  const cases: readonly [string, DnsHandler, Setup, readonly string[] | string, number][] = [
    [
      'the other one serves, for a short time, when it fails',
      ({ type }) => (type === 'A' ? [a('192.0.2.1', 60)] : 'SERVFAIL'),
      {},
      ['192.0.2.1'],
      5_000,
    ],
    [
      'the other one serves, for a short time, when it keeps silent',
      onlyIPv4,
      { after: firing(50) },
      ['192.0.2.1'],
      5_000,
    ],
    [
      'a failure leaves open whether the name exists',
      ({ type }) => (type === 'A' ? 'NXDOMAIN' : 'SERVFAIL'),
      {},
      'unreachable',
      1_000,
    ],
    [
      'silence of both ends with the time for all',
      () => 'silence',
      { after: firing(5_000) },
      'unreachable',
      1_000,
    ],
    [
      'no data of one does not cut the wait for the other short',
      ({ type }) => (type === 'A' ? [] : 'silence'),
      { after: firing(50, 5_000) },
      'unreachable',
      1_000,
    ],
  ];
  test.each(cases)('%s', async (_sentence, handler, setup, expected, ttlMs) => {
    const resolver = await resolverOver(handler, setup);
    const resolution = await resolveOnce(resolver, 'x.test');
    expect(outcome(resolution)).toEqual(expected);
    expect(resolution.expiresMs).toBe(NOW_MS + ttlMs);
  });

  test('the wait is bounded on the real clock as well', async () => {
    server = await startDnsServer(() => 'silence');
    const resolver = new CaresResolver({
      servers: [server.server],
      judge: () => 'ok',
      now: () => NOW_MS,
      limits: { timeoutMs: 20 },
    });
    expect(outcome(await resolveOnce(resolver, 'x.test'))).toBe('unreachable');
  });
});

test('a server that is no address is refused at construction', () => {
  const open = () => new CaresResolver({ servers: ['dns.example'], judge: () => 'ok', now: () => 0 });
  expect(open).toThrow(/ERR_INVALID_IP_ADDRESS|Invalid IP address/);
});
