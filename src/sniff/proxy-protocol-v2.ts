import ipaddr from 'ipaddr.js';
import { latin1, u8, u16 } from '../tls-sni/bytes.ts';
import { crc32c } from './crc32c.ts';
import type { ProxyEndpoint, ProxyProtocolFault, ProxyProtocolResult, ProxyTlv } from './proxy-protocol.ts';

/** The first 12 bytes of a binary header (proxy-protocol.txt §2.2). */
export const PROXY_V2_SIGNATURE = Uint8Array.of(
  0x0d,
  0x0a,
  0x0d,
  0x0a,
  0,
  0x0d,
  0x0a,
  0x51,
  0x55,
  0x49,
  0x54,
  0x0a,
);
/** Signature, version and command, family and transport, length. */
export const PROXY_V2_FIXED_BYTES = 16;
/** Far above what load balancers send (AWS and HAProxy: under 600 bytes), far below the 64 KiB that the field can say. */
const MAX_BYTES = 4096;

export const LOCAL = 0x20;
export const PROXY = 0x21;
export const TCP4 = 0x11;
export const TCP6 = 0x21;
/** UNSPEC, UDP and UNIX: valid, and to be treated as UNSPEC by who has no use for them (§2.2). */
const OTHER_FAMILIES: readonly number[] = [0x00, 0x12, 0x22, 0x31, 0x32];

const TLV_HEADER_BYTES = 3;
const TLV_CRC32C = 0x03;
/** Network Load Balancer's own type, with the subtype in the first byte of its value. */
export const TLV_AWS = 0xea;
export const AWS_VPC_ENDPOINT_ID = 0x01;

interface Malformed {
  readonly kind: 'malformed';
  readonly reason: ProxyProtocolFault;
}

/** Reads a header of version 2 (proxy-protocol.txt §2.2). The bytes, as far as they go, begin with the signature. */
export function parseProxyV2(bytes: Uint8Array): ProxyProtocolResult {
  const { length } = bytes;
  const command = u8(bytes, 12);
  if (length > 12 && command >> 4 !== 2) return malformed('v2-version');
  if (length > 12 && command !== LOCAL && command !== PROXY) return malformed('v2-command');
  const family = u8(bytes, 13);
  const isTcp = family === TCP4 || family === TCP6;
  // LOCAL is valid with any family (§2.2).
  if (length > 13 && command === PROXY && !isTcp && !OTHER_FAMILIES.includes(family))
    return malformed('v2-family');
  if (length < PROXY_V2_FIXED_BYTES) return { kind: 'need-more', atLeast: PROXY_V2_FIXED_BYTES };
  const consumed = PROXY_V2_FIXED_BYTES + u16(bytes, 14);
  if (consumed > MAX_BYTES) return malformed('v2-too-long');
  if (length < consumed) return { kind: 'need-more', atLeast: consumed };
  if (command === LOCAL || !isTcp) {
    return { kind: 'done', version: 2, consumed, addresses: null, tlvs: [], vpcEndpointId: null };
  }
  return readTcp(bytes.subarray(0, consumed), family === TCP4 ? 4 : 16);
}

function readTcp(header: Uint8Array, ipBytes: 4 | 16): ProxyProtocolResult {
  const portsAt = PROXY_V2_FIXED_BYTES + 2 * ipBytes;
  const tlvsAt = portsAt + 4;
  if (header.length < tlvsAt) return malformed('v2-address-length');
  const endpoint = (index: 0 | 1): ProxyEndpoint => ({
    ip: ipText(header, PROXY_V2_FIXED_BYTES + index * ipBytes, ipBytes),
    port: u16(header, portsAt + 2 * index),
  });
  const tlvs = readTlvs(header, tlvsAt);
  if ('kind' in tlvs) return tlvs;
  return {
    kind: 'done',
    version: 2,
    consumed: header.length,
    addresses: { source: endpoint(0), destination: endpoint(1) },
    ...tlvs,
  };
}

function readTlvs(
  header: Uint8Array,
  start: number,
): { tlvs: readonly ProxyTlv[]; vpcEndpointId: string | null } | Malformed {
  const tlvs: ProxyTlv[] = [];
  let hasChecksum = false;
  let vpcEndpointId: string | null = null;
  for (let at = start; at < header.length; ) {
    const valueAt = at + TLV_HEADER_BYTES;
    const end = valueAt + u16(header, at + 1);
    if (valueAt > header.length || end > header.length) return malformed('tlv-length');
    const type = u8(header, at);
    if (type === TLV_CRC32C) {
      if (hasChecksum) return malformed('tlv-duplicate');
      if (end !== valueAt + 4 || !isChecksumOf(header, valueAt)) return malformed('crc32c');
      hasChecksum = true;
    }
    if (type === TLV_AWS && end > valueAt && u8(header, valueAt) === AWS_VPC_ENDPOINT_ID) {
      if (vpcEndpointId !== null) return malformed('tlv-duplicate');
      vpcEndpointId = latin1(header, valueAt + 1, end);
      if (!/^[A-Za-z0-9-]{1,128}$/.test(vpcEndpointId)) return malformed('vpc-endpoint-id');
    }
    tlvs.push({ type, value: header.slice(valueAt, end) });
    at = end;
  }
  return { tlvs, vpcEndpointId };
}

/** The checksum is computed with its own four bytes as 0 (§2.2.3). */
function isChecksumOf(header: Uint8Array, valueAt: number): boolean {
  const expected = crc32c(header.subarray(0, valueAt), new Uint8Array(4), header.subarray(valueAt + 4));
  return u16(header, valueAt) * 0x10000 + u16(header, valueAt + 2) === expected;
}

function ipText(bytes: Uint8Array, at: number, length: 4 | 16): string {
  const octets = Array.from(bytes.subarray(at, at + length));
  return length === 4 ? octets.join('.') : new ipaddr.IPv6(octets).toRFC5952String();
}

function malformed(reason: ProxyProtocolFault): Malformed {
  return { kind: 'malformed', reason };
}
