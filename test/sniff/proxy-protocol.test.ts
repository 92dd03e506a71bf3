import { describe, expect, it } from 'vitest';
import { crc32c } from '../../src/sniff/crc32c.ts';
import {
  type ProxyAddresses,
  type ProxyProtocolFault,
  parseProxyProtocol,
} from '../../src/sniff/proxy-protocol.ts';
import { proxyProtocolHeader } from '../../src/sniff/proxy-protocol-header.ts';
import { bytes, concat, text, vector16 } from '../support/client-hello.ts';

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const V4: ProxyAddresses = {
  source: { ip: '192.0.2.7', port: 40_312 },
  destination: { ip: '198.51.100.10', port: 443 },
};
const V6: ProxyAddresses = {
  source: { ip: '2001:db8::7', port: 40_312 },
  destination: { ip: '2001:db8:2::10', port: 443 },
};
const VPC_ENDPOINT = 'vpce-08d2bf15fac5001c9';

const hex = (digits: string) => Uint8Array.from(Buffer.from(digits.replaceAll(' ', ''), 'hex'));
const tlv = (type: number, value: Uint8Array) => concat(bytes(type), vector16(value));
const vpcEndpointTlv = (id: string) => tlv(0xea, concat(bytes(1), text(id)));

/** A header whose length field covers what is appended. */
function withTlvs(addresses: ProxyAddresses, ...tlvs: Uint8Array[]): Uint8Array {
  const header = concat(proxyProtocolHeader(addresses), ...tlvs);
  new DataView(header.buffer).setUint16(14, header.length - 16);
  return header;
}

/** The same with a checksum TLV in front. */
function withChecksum(addresses: ProxyAddresses, ...tlvs: Uint8Array[]): Uint8Array {
  const header = withTlvs(addresses, tlv(3, new Uint8Array(4)), ...tlvs);
  const valueAt = proxyProtocolHeader(addresses).length + 3;
  new DataView(header.buffer).setUint32(valueAt, crc32c(header));
  return header;
}

function headerOf(stream: Uint8Array) {
  const result = parseProxyProtocol(stream);
  if (result.kind !== 'done') throw new Error(JSON.stringify(result));
  return result;
}

describe('a header of version 1', () => {
  it.each<[string, string, ProxyAddresses | null]>([
    ['IPv4', 'PROXY TCP4 192.0.2.7 198.51.100.10 40312 443\r\n', V4],
    ['IPv6', 'PROXY TCP6 2001:db8::7 2001:db8:2::10 40312 443\r\n', V6],
    ['IPv6 in upper case, written out', 'PROXY TCP6 2001:0DB8:0:0:0:0:0:7 2001:DB8:2::10 40312 443\r\n', V6],
    [
      'ports 0 and 65535',
      'PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n',
      { source: { ip: '0.0.0.0', port: 0 }, destination: { ip: '255.255.255.255', port: 65_535 } },
    ],
    ['an unknown protocol', 'PROXY UNKNOWN\r\n', null],
    ['an unknown protocol with more behind it', 'PROXY UNKNOWN ff:: whatever\0 it says\r\n', null],
  ])('%s', (_, line, addresses) => {
    const payload = text('\x16\x03\x01');
    expect(parseProxyProtocol(concat(text(line), payload))).toEqual({
      kind: 'done',
      version: 1,
      consumed: line.length,
      addresses,
      tlvs: [],
      vpcEndpointId: null,
    });
  });

  it('may be 107 bytes long, and no longer', () => {
    const line = (length: number) => text(`${'PROXY UNKNOWN '.padEnd(length - 2, 'f')}\r\n`);
    expect(parseProxyProtocol(line(107))).toMatchObject({ kind: 'done', consumed: 107 });
    expect(parseProxyProtocol(line(108))).toEqual({ kind: 'malformed', reason: 'v1-too-long' });
    expect(parseProxyProtocol(text('PROXY UNKNOWN '.padEnd(106, 'f')))).toEqual({
      kind: 'need-more',
      atLeast: 108,
    });
  });

  it.each<[string, string, ProxyProtocolFault]>([
    ['another protocol', 'PROXY UDP4 192.0.2.7 198.51.100.10 1 2\r\n', 'v1-protocol'],
    ['letters in lower case', 'PROXY tcp4 192.0.2.7 198.51.100.10 1 2\r\n', 'v1-protocol'],
    ['letters behind UNKNOWN', 'PROXY UNKNOWNX\r\n', 'v1-protocol'],
    ['two spaces', 'PROXY TCP4  192.0.2.7 198.51.100.10 1 2\r\n', 'v1-fields'],
    ['a space at the end', 'PROXY TCP4 192.0.2.7 198.51.100.10 1 2 \r\n', 'v1-fields'],
    ['a tab', 'PROXY TCP4\t192.0.2.7 198.51.100.10 1 2\r\n', 'v1-protocol'],
    ['a port missing', 'PROXY TCP4 192.0.2.7 198.51.100.10 1\r\n', 'v1-fields'],
    ['a field too many', 'PROXY TCP4 192.0.2.7 198.51.100.10 1 2 3\r\n', 'v1-fields'],
    ['IPv6 where IPv4 was said', 'PROXY TCP4 2001:db8::7 2001:db8::8 1 2\r\n', 'v1-address'],
    ['IPv4 where IPv6 was said', 'PROXY TCP6 192.0.2.7 198.51.100.10 1 2\r\n', 'v1-address'],
    ['a leading zero in an address', 'PROXY TCP4 192.0.02.7 198.51.100.10 1 2\r\n', 'v1-address'],
    ['a short address', 'PROXY TCP4 127.1 198.51.100.10 1 2\r\n', 'v1-address'],
    ['a zone', 'PROXY TCP6 fe80::1%1 2001:db8::8 1 2\r\n', 'v1-address'],
    ['a leading zero in a port', 'PROXY TCP4 192.0.2.7 198.51.100.10 01 2\r\n', 'v1-port'],
    ['a signed port', 'PROXY TCP4 192.0.2.7 198.51.100.10 +1 2\r\n', 'v1-port'],
    ['a port too large', 'PROXY TCP4 192.0.2.7 198.51.100.10 1 65536\r\n', 'v1-port'],
    ['LF alone', 'PROXY TCP4 192.0.2.7 198.51.100.10 1 2\n', 'v1-line-end'],
    ['CR alone', 'PROXY TCP4 192.0.2.7 198.51.100.10 1 2\rX', 'v1-line-end'],
    ['another word', 'PROXI ', 'signature'],
    ['a ClientHello', '\x16\x03\x01', 'signature'],
    ['a request', 'GET / HTTP/1.1\r\n', 'signature'],
  ])('is refused: %s', (_, line, reason) => {
    expect(parseProxyProtocol(text(line))).toEqual({ kind: 'malformed', reason });
  });
});

describe('a header of version 2', () => {
  it.each([
    ['IPv4', `${SIGNATURE} 21 11 000c c0000207 c633640a 9d78 01bb`, V4],
    [
      'IPv6',
      `${SIGNATURE} 21 21 0024 20010db8000000000000000000000007 20010db8000200000000000000000010 9d78 01bb`,
      V6,
    ],
    ['a health check', `${SIGNATURE} 20 00 0000`, null],
    ['a health check with a block of any content', `${SIGNATURE} 20 ff 0003 ffffff`, null],
    ['an unspecified family, with bytes to be skipped', `${SIGNATURE} 21 00 0003 ffffff`, null],
    ['UDP', `${SIGNATURE} 21 12 000c c0000207 c633640a 9d78 01bb`, null],
  ])('%s', (_, digits, addresses) => {
    const header = hex(digits);
    expect(parseProxyProtocol(concat(header, text('payload')))).toEqual({
      kind: 'done',
      version: 2,
      consumed: header.length,
      addresses,
      tlvs: [],
      vpcEndpointId: null,
    });
  });

  it('may name a VPC endpoint, as a Network Load Balancer does, among other TLVs', () => {
    const header = withChecksum(V4, vpcEndpointTlv(VPC_ENDPOINT), tlv(4, new Uint8Array(9)));
    expect(headerOf(header)).toMatchObject({ addresses: V4, vpcEndpointId: VPC_ENDPOINT });
    expect(headerOf(header).tlvs.map(({ type }) => type)).toEqual([3, 0xea, 4]);
  });

  it('may carry TLVs of no known meaning', () => {
    const header = withTlvs(V6, tlv(0xea, bytes(2, 65)), tlv(0xea, bytes()), tlv(0xe1, bytes(1, 2)));
    expect(headerOf(header)).toMatchObject({ addresses: V6, vpcEndpointId: null });
    expect(headerOf(header).tlvs).toContainEqual({ type: 0xe1, value: bytes(1, 2) });
  });

  it('owns the TLVs it gives out', () => {
    const header = withTlvs(V4, tlv(5, text('unique')));
    const { tlvs } = headerOf(header);
    header.fill(0);
    expect(tlvs[0]?.value).toEqual(text('unique'));
  });

  it('may be 4096 bytes long, and no longer', () => {
    const padded = (length: number) => withTlvs(V4, tlv(4, new Uint8Array(length - 28 - 3)));
    expect(parseProxyProtocol(padded(4096))).toMatchObject({ kind: 'done', consumed: 4096 });
    const reason = { kind: 'malformed', reason: 'v2-too-long' };
    expect(parseProxyProtocol(padded(4097))).toEqual(reason);
    expect(parseProxyProtocol(padded(4097).subarray(0, 16))).toEqual(reason);
  });

  it.each<[string, Uint8Array, ProxyProtocolFault]>([
    ['version 1', hex(`${SIGNATURE} 11`), 'v2-version'],
    ['version 3', hex(`${SIGNATURE} 31`), 'v2-version'],
    ['another command', hex(`${SIGNATURE} 22`), 'v2-command'],
    ['another family', hex(`${SIGNATURE} 21 41`), 'v2-family'],
    ['another transport', hex(`${SIGNATURE} 21 13`), 'v2-family'],
    ['a family without a transport', hex(`${SIGNATURE} 21 10`), 'v2-family'],
    ['an IPv4 block too short', hex(`${SIGNATURE} 21 11 000b ${'00'.repeat(11)}`), 'v2-address-length'],
    ['an IPv6 block of IPv4 length', hex(`${SIGNATURE} 21 21 000c ${'00'.repeat(12)}`), 'v2-address-length'],
    ['another signature', hex('0d0a0d0a000d0a515549540b'), 'signature'],
    ['a TLV past the end', withTlvs(V4, bytes(4, 0, 2, 0)), 'tlv-length'],
    ['half the head of a TLV', withTlvs(V4, bytes(4, 0)), 'tlv-length'],
    ['a wrong checksum', withTlvs(V4, tlv(3, bytes(1, 2, 3, 4))), 'crc32c'],
    ['a checksum of another length', withTlvs(V4, tlv(3, bytes(1, 2, 3))), 'crc32c'],
    ['two VPC endpoints', withTlvs(V4, vpcEndpointTlv('vpce-1'), vpcEndpointTlv('vpce-2')), 'tlv-duplicate'],
    ['a VPC endpoint with a line break', withTlvs(V4, vpcEndpointTlv('vpce-1\nx')), 'vpc-endpoint-id'],
    ['a VPC endpoint without an id', withTlvs(V4, vpcEndpointTlv('')), 'vpc-endpoint-id'],
    ['a VPC endpoint too long', withTlvs(V4, vpcEndpointTlv('v'.repeat(129))), 'vpc-endpoint-id'],
  ])('is refused: %s', (_, stream, reason) => {
    expect(parseProxyProtocol(stream)).toEqual({ kind: 'malformed', reason });
  });

  it('is refused with two checksums, though the first is right', () => {
    const header = withChecksum(V4, tlv(3, new Uint8Array(4)));
    expect(parseProxyProtocol(header)).toEqual({ kind: 'malformed', reason: 'tlv-duplicate' });
  });

  it('is refused when any bit that its checksum covers was turned', () => {
    const header = withChecksum(V4, vpcEndpointTlv(VPC_ENDPOINT));
    for (let bit = 16 * 8; bit < header.length * 8; bit++) {
      const turned = header.slice();
      turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const result = parseProxyProtocol(turned);
      // A turned bit in the type of the checksum itself makes it a TLV of another kind.
      const isChecksumType = bit >> 3 === 28;
      expect(result.kind === 'malformed' || isChecksumType, `bit ${bit}`).toBe(true);
    }
  });
});

describe('proxyProtocolHeader', () => {
  it.each([
    ['IPv4', V4, `${SIGNATURE}2111000cc0000207c633640a9d7801bb`],
    [
      'IPv6',
      V6,
      `${SIGNATURE}2121002420010db800000000000000000000000720010db80002000000000000000000109d7801bb`,
    ],
    ['a connection of our own', null, `${SIGNATURE}20000000`],
    [
      'IPv4 in mapped form on both sides',
      {
        source: { ip: '::ffff:192.0.2.7', port: 40_312 },
        destination: { ip: '::ffff:c633:640a', port: 443 },
      },
      `${SIGNATURE}2111000cc0000207c633640a9d7801bb`,
    ],
    [
      'IPv4 on one side',
      { source: V4.source, destination: V6.destination },
      `${SIGNATURE}2121002400000000000000000000ffffc000020720010db80002000000000000000000109d7801bb`,
    ],
  ])('%s', (_, addresses, digits) => {
    expect(Buffer.from(proxyProtocolHeader(addresses)).toString('hex')).toBe(digits);
  });

  it.each([
    ['no address', { ...V4, source: { ip: 'example.com', port: 1 } }],
    ['no port', { ...V4, source: { ip: '192.0.2.7', port: 65_536 } }],
  ])('throws for %s', (_, addresses) => {
    expect(() => proxyProtocolHeader(addresses)).toThrow();
  });
});

describe('crc32c', () => {
  // RFC 3720 appendix B.4, and the check value of the Castagnoli polynomial.
  it.each([
    ['of 32 bytes of zeroes', new Uint8Array(32), 0x8a9136aa],
    ['of 32 bytes of ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ['of an ascending sequence', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ['of 123456789', text('123456789'), 0xe3069283],
    ['of nothing', bytes(), 0],
  ])('%s', (_, data, expected) => {
    expect(crc32c(data)).toBe(expected);
    expect(crc32c(data.subarray(0, 3), data.subarray(3))).toBe(expected);
  });
});
