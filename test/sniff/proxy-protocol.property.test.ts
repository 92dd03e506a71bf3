import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  PROXY_PROTOCOL_FAULTS,
  type ProxyAddresses,
  parseProxyProtocol,
} from '../../src/sniff/proxy-protocol.ts';
import { proxyProtocolHeader } from '../../src/sniff/proxy-protocol-header.ts';
import { concat, text } from '../support/client-hello.ts';

const port = fc.integer({ min: 0, max: 65_535 });
const endpoint = (ip: fc.Arbitrary<string>) => fc.record({ ip, port });
const ofFamily = (ip: fc.Arbitrary<string>) => fc.record({ source: endpoint(ip), destination: endpoint(ip) });
/** No zeroes and nothing to shorten, so that each address has one text. */
const ipv6 = fc
  .array(fc.integer({ min: 0x1000, max: 0xffff }), { minLength: 8, maxLength: 8 })
  .map(groups => groups.map(group => group.toString(16)).join(':'));
const addresses = fc.oneof(ofFamily(fc.ipV4()), ofFamily(ipv6));

const lineOf = ({ source, destination }: ProxyAddresses) => {
  const family = source.ip.includes(':') ? 'TCP6' : 'TCP4';
  return text(`PROXY ${family} ${source.ip} ${destination.ip} ${source.port} ${destination.port}\r\n`);
};
const header = fc.oneof(
  addresses.map(lineOf),
  addresses.map(proxyProtocolHeader),
  fc.constant(proxyProtocolHeader(null)),
  fc.constant(text('PROXY UNKNOWN\r\n')),
);

describe('parseProxyProtocol', () => {
  it('reads what was written, in either version', () => {
    fc.assert(
      fc.property(addresses, fc.uint8Array({ maxLength: 20 }), (expected, payload) => {
        for (const written of [lineOf(expected), proxyProtocolHeader(expected)]) {
          const read = parseProxyProtocol(concat(written, payload));
          expect(read).toMatchObject({ kind: 'done', consumed: written.length, addresses: expected });
        }
      }),
    );
  });

  it('asks for more at any split, and never for more than there is', () => {
    fc.assert(
      fc.property(header, whole => {
        for (let cut = 0; cut < whole.length; cut++) {
          const part = parseProxyProtocol(whole.subarray(0, cut));
          if (part.kind !== 'need-more') throw new Error(`${part.kind} at ${cut}`);
          expect(part.atLeast).toBeGreaterThan(cut);
          expect(part.atLeast).toBeLessThanOrEqual(whole.length);
        }
      }),
    );
  });

  it('takes no more than it was given, and of a prefix says what it says of the whole, or asks for more', () => {
    const mutated = fc
      .tuple(header, fc.array(fc.tuple(fc.nat(60), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }))
      .map(([whole, changes]) => {
        const bytes = whole.slice();
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        return bytes;
      });
    const stream = fc.tuple(mutated, fc.uint8Array({ maxLength: 300 })).map(parts => concat(...parts));
    fc.assert(
      fc.property(stream, fc.nat(400), (bytes, cut) => {
        const whole = parseProxyProtocol(bytes);
        if (whole.kind === 'done') expect(whole.consumed).toBeLessThanOrEqual(bytes.length);
        if (whole.kind === 'need-more') expect(whole.atLeast).toBeGreaterThan(bytes.length);
        if (whole.kind === 'malformed') expect(PROXY_PROTOCOL_FAULTS).toHaveProperty(whole.reason);
        const part = parseProxyProtocol(bytes.subarray(0, cut));
        if (part.kind !== 'need-more') expect(part).toEqual(whole);
      }),
      { numRuns: 5_000 },
    );
  });
});
