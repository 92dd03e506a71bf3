import { afterEach, describe, expect, test } from 'vitest';
import { CaresResolver } from '../../src/resolve/cares.ts';
import { DestinationGuard } from '../../src/resolve/guard.ts';
import {
  type CraftedReply,
  type DnsHandler,
  type DnsRecord,
  type DnsServer,
  startDnsServer,
} from '../support/dns-server.ts';
import { outcome, resolveOnce } from './support.ts';

const TC_BIT = 0x0200;
const GOOD: DnsRecord = { type: 'A', data: '192.0.2.1', ttl: 60 };
const EVIL: DnsRecord = { type: 'A', data: '203.0.113.66', ttl: 60 };

let server: DnsServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function resolverOver(handler: DnsHandler) {
  server = await startDnsServer(handler);
  return new CaresResolver({ servers: [server.server], judge: () => 'ok', now: () => 0 });
}

/** Answers A questions as said, and that there is no IPv6. */
const forA =
  (reply: ReturnType<DnsHandler>): DnsHandler =>
  ({ type }) =>
    type === 'A' ? reply : [];

/** Wrong packets, then the right one. */
function lies(...twist: ((packet: Buffer) => Buffer)[]): CraftedReply {
  return { packets: honest => [...twist.map(lie => lie(honest([EVIL]))), honest([GOOD])] };
}

function edited(edit: (packet: Buffer) => unknown): (packet: Buffer) => Buffer {
  return packet => {
    edit(packet);
    return packet;
  };
}

describe('an answer that is none is not listened to', () => {
  test.each<[string, (packet: Buffer) => Buffer]>([
    ['to another question, by its id', edited(packet => packet.writeUInt16BE(packet.readUInt16BE(0) ^ 1, 0))],
    ['to another question, by its name', edited(packet => packet.write('z', 13, 'latin1'))],
    ['of three bytes', packet => packet.subarray(0, 3)],
    ['of nothing', () => Buffer.alloc(0)],
    ['of noise', packet => Buffer.concat([packet.subarray(0, 2), Buffer.alloc(200, 0xff)])],
  ])('%s', async (_, lie) => {
    const resolver = await resolverOver(forA(lies(lie)));
    expect(outcome(await resolveOnce(resolver, 'x.test'))).not.toContain(EVIL.data);
  });
});

describe('an answer that cannot be right ends in no address', () => {
  const records = (count: number, record: (i: number) => DnsRecord) =>
    Array.from({ length: count }, (_, i) => record(i));
  test.each<[string, ReturnType<DnsHandler>]>([
    ['REFUSED', 'REFUSED'],
    ['an alias of itself', [{ type: 'CNAME', data: 'x.test', ttl: 60 }]],
    [
      'aliases in a circle',
      [
        { type: 'CNAME', data: 'y.test', ttl: 60 },
        { name: 'y.test', type: 'CNAME', data: 'x.test', ttl: 60 },
      ],
    ],
    [
      'twenty aliases that lead nowhere',
      records(20, i => ({
        name: i === 0 ? 'x.test' : `a${i}.test`,
        type: 'CNAME',
        data: `a${i + 1}.test`,
        ttl: 60,
      })),
    ],
    [
      'a name that points at itself',
      { packets: honest => [edited(packet => packet.writeUInt16BE(0xc000 | 12, 12))(honest([EVIL]))] },
    ],
    [
      'more records than it has',
      { packets: honest => [edited(packet => packet.writeUInt16BE(9_999, 6))(honest([EVIL]))] },
    ],
    ['an address of three bytes', { packets: honest => [cutAddress(honest([EVIL]))] }],
  ])('%s', async (_, reply) => {
    const resolver = await resolverOver(forA(reply));
    expect(['unknown', 'unreachable']).toContain(outcome(await resolveOnce(resolver, 'x.test')));
  });
});

function cutAddress(packet: Buffer): Buffer {
  packet.writeUInt16BE(3, packet.length - 6);
  return packet.subarray(0, packet.length - 1);
}

describe('an answer that is too large for UDP', () => {
  const TRUNCATED: CraftedReply = {
    packets: honest => [
      edited(packet => packet.writeUInt16BE(packet.readUInt16BE(2) | TC_BIT, 2))(honest([])),
    ],
  };

  test('is asked for by TCP, and kept up to the bound', async () => {
    const many = Array.from({ length: 2_500 }, (_, i) => ({ ...GOOD, data: `10.1.${i >> 8}.${i & 255}` }));
    const resolver = await resolverOver(({ type }, transport) => {
      if (type !== 'A') return [];
      return transport === 'udp' ? TRUNCATED : many;
    });
    expect(outcome(await resolveOnce(resolver, 'x.test'))).toHaveLength(32);
  });

  test('brings nothing when TCP brings nothing', async () => {
    const resolver = await resolverOver(({ type }, transport) => {
      if (type !== 'A') return [];
      return transport === 'udp' ? TRUNCATED : 'SERVFAIL';
    });
    expect(outcome(await resolveOnce(resolver, 'x.test'))).toBe('unreachable');
  });
});

test.each([0, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff])(
  'a TTL of %i is kept for a second to five minutes',
  async ttl => {
    const resolver = await resolverOver(forA([{ ...GOOD, ttl }]));
    const { expiresMs } = await resolveOnce(resolver, 'x.test');
    expect(expiresMs).toBeGreaterThanOrEqual(1_000);
    expect(expiresMs).toBeLessThanOrEqual(300_000);
  },
);

test('every address is judged by itself, in whatever form it comes', async () => {
  const guard = new DestinationGuard({ allow: [], deny: [] });
  server = await startDnsServer(({ type }) =>
    type === 'A'
      ? [GOOD, { ...GOOD, data: '127.0.0.1' }, { ...GOOD, data: '10.0.0.1' }]
      : [
          { type: 'AAAA', data: '::ffff:169.254.169.254', ttl: 60 },
          { type: 'AAAA', data: '64:ff9b::7f00:1', ttl: 60 },
        ],
  );
  const resolver = new CaresResolver({
    servers: [server.server],
    judge: ip => guard.judge(ip),
    now: () => 0,
  });
  const resolution = await resolveOnce(resolver, 'x.test');
  const verdicts = resolution.ok
    ? resolution.addresses.map(({ ip, guard: verdict }) => [ip.toString(), verdict])
    : [];
  expect(Object.fromEntries(verdicts)).toEqual({
    '192.0.2.1': 'ok',
    '127.0.0.1': 'forbidden',
    '10.0.0.1': 'private',
    '169.254.169.254': 'forbidden',
    '64:ff9b::7f00:1': 'forbidden',
  });
});
