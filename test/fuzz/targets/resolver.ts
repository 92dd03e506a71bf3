import assert from 'node:assert/strict';
import fc from 'fast-check';
import { IpAddress } from '../../../src/policy/address.ts';
import { parseHostname } from '../../../src/policy/hostname.ts';
import { CaresResolver } from '../../../src/resolve/cares.ts';
import { DestinationGuard } from '../../../src/resolve/guard.ts';
import type { Resolution } from '../../../src/resolve/resolver.ts';
import { bytes, concat, vector16 } from '../../support/client-hello.ts';
import { destinations } from '../inputs/addresses.ts';
import { fromHex, inHex, toHex } from '../inputs/hex.ts';
import { mutated } from '../inputs/mutate.ts';
import { LyingDns } from '../oracles/lying-dns.ts';
import { naiveGuard } from '../policy/naive-guard.ts';
import { property } from '../property.ts';
import type { Target } from '../target.ts';

const NOW = Date.UTC(2026, 10, 21);
/** c-ares waits for a better answer than one it cannot read: not for long, here. */
const TIMEOUT_MS = 30;

const guarded = property('an address is guarded by every IPv4 address inside of it', destinations, text => {
  const address = IpAddress.parse(text);
  assert.ok(address !== null, `${text} is not read as an address`);
  assert.equal(new DestinationGuard({ allow: [], deny: [] }).judge(address), naiveGuard(text));
  return undefined;
});

const POINTER = bytes(0xc0, 12);
/** Mostly what a server says; the rest is what one should never say. */
const answerData: fc.Arbitrary<readonly [type: number, data: Uint8Array]> = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(fc.constant(1), fc.uint8Array({ minLength: 4, maxLength: 4 })) },
  { weight: 8, arbitrary: fc.tuple(fc.constant(28), fc.uint8Array({ minLength: 16, maxLength: 16 })) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constant(5), fc.constantFrom(POINTER, bytes(0xc0, 0xff), bytes(1, 97, 0))),
  },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom(1, 28, 16, 41), fc.uint8Array({ maxLength: 20 })) },
);
const answerRecord = fc
  .tuple(answerData, fc.constantFrom(0, 1, 60, 0x7fffffff, 0xffffffff))
  .map(([[type, data], ttl]) =>
    concat(POINTER, bytes(0, type, 0, 1), bytes(ttl >>> 24, ttl >>> 16, ttl >>> 8, ttl), vector16(data)),
  );

/** Flags and what stands behind the question. */
const reply = fc.record({
  flags: fc.constantFrom(
    '8180',
    '8180',
    '8180',
    '8180',
    '8180',
    '8180',
    '8180',
    '8183',
    '8182',
    '8580',
    '0100',
    '8380',
  ),
  answers: fc.oneof(fc.array(answerRecord, { maxLength: 4 }), fc.array(answerRecord, { maxLength: 40 })),
  count: fc.constantFrom(null, null, null, null, null, null, 0, 1, 65_535),
});
const answerBytes = reply.map(({ flags, answers, count }) => {
  const number = count ?? answers.length;
  return {
    head: concat(fromHex(flags), bytes(0, 1, number >> 8, number, 0, 0, 0, 0)),
    tail: concat(...answers),
  };
});
const input = answerBytes.chain(({ head, tail }) =>
  fc.oneof(
    { weight: 2, arbitrary: fc.constant({ head: toHex(head), tail: toHex(tail) }) },
    {
      weight: 1,
      arbitrary: fc.record({ head: fc.constant(toHex(head)), tail: inHex(mutated(fc.constant(tail), 2)) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ head: inHex(mutated(fc.constant(head), 1)), tail: fc.constant(toHex(tail)) }),
    },
  ),
);

/** What names resolve to, from the wire to the verdict. */
export const resolver: Target = {
  name: 'resolver',
  summary: 'the guard beside a reading of bits, over every form of IPv4 in IPv6; DNS answers of any bytes',
  shortRuns: 25,
  open: async scope => {
    const dns = await LyingDns.open(scope);
    const guard = new DestinationGuard({ allow: [], deny: [] });
    const resolving = new CaresResolver({
      servers: [dns.server],
      judge: ip => guard.judge(ip),
      now: () => NOW,
      limits: { timeoutMs: TIMEOUT_MS, resolutionDelayMs: 5 },
    });
    const answered = property(
      'an answer of any bytes gives bounded, guarded addresses or none',
      input,
      async hex => {
        const [head, tail] = [fromHex(hex.head), fromHex(hex.tail)];
        dns.answerWith(query => concat(head, query.subarray(12), tail));
        const name = parseHostname('asked.example');
        assert.ok(name.ok);
        let calls = 0;
        const resolution = await new Promise<Resolution>(resolve => {
          resolving.resolve(name.hostname, found => {
            calls++;
            resolve(found);
          });
        });
        assert.equal(calls, 1);
        assert.ok(resolution.expiresMs >= NOW && resolution.expiresMs <= NOW + 300_000);
        if (!resolution.ok) return 'vacuous';
        assert.ok(resolution.addresses.length > 0 && resolution.addresses.length <= 32);
        for (const { ip, guard: verdict } of resolution.addresses)
          assert.equal(verdict, naiveGuard(ip.toString()));
        return undefined;
      },
    );
    return { properties: [guarded, answered], missing: [] };
  },
};
