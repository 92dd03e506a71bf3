import { u8 } from '../tls-sni/bytes.ts';
import { parseProxyV1 } from './proxy-protocol-v1.ts';
import { PROXY_V2_SIGNATURE, parseProxyV2 } from './proxy-protocol-v2.ts';

/** Why bytes are no PROXY protocol header: the closed list behind `reason`. Sections are of proxy-protocol.txt. */
export const PROXY_PROTOCOL_FAULTS = {
  signature: 'the flow begins with the signature of neither version (§2)',
  'v1-too-long': 'no CR LF within the first 107 bytes (§2.1)',
  'v1-line-end': 'a CR or LF alone (§2.1)',
  'v1-protocol': 'the protocol is not TCP4, TCP6 or UNKNOWN (§2.1)',
  'v1-fields': 'not two addresses and two ports, each behind exactly one space (§2.1)',
  'v1-address': 'an address is not in the standard text form of its family (§2.1)',
  'v1-port': 'a port is not a decimal number up to 65535 without leading zeros (§2.1)',
  'v2-version': 'the binary header is not of version 2 (§2.2)',
  'v2-command': 'the command is neither LOCAL nor PROXY (§2.2)',
  'v2-family': 'no such pair of address family and transport (§2.2)',
  'v2-too-long': 'the header is longer than 4096 bytes',
  'v2-address-length': 'the header is too short for the addresses of its family (§2.2)',
  'tlv-length': 'a TLV runs past the end of the header (§2.2)',
  'tlv-duplicate': 'two checksums, or two VPC endpoint ids',
  crc32c: 'the CRC32c is not that of the header (§2.2.3)',
  'vpc-endpoint-id': 'the VPC endpoint id is not 1 to 128 letters, digits and hyphens',
} as const;

export type ProxyProtocolFault = keyof typeof PROXY_PROTOCOL_FAULTS;

/** `ip`: a dotted quad, or IPv6 as in RFC 5952 (so IPv4 in its mapped form is `::ffff:c000:201`). */
export interface ProxyEndpoint {
  readonly ip: string;
  readonly port: number;
}

/** Both ends of the connection on whose behalf the sender connects. The family is the same on both. */
export interface ProxyAddresses {
  readonly source: ProxyEndpoint;
  readonly destination: ProxyEndpoint;
}

export interface ProxyTlv {
  readonly type: number;
  /** A copy. */
  readonly value: Uint8Array;
}

export interface ProxyHeader {
  readonly kind: 'done';
  readonly version: 1 | 2;
  /** Bytes of the header; the flow's own begin behind it. */
  readonly consumed: number;
  /**
   * Null: go by the addresses of the connection itself. The sender speaks for itself (LOCAL, a health check), does not
   * know (UNKNOWN, UNSPEC), or speaks of something that is not TCP over IP.
   */
  readonly addresses: ProxyAddresses | null;
  /** In the order sent, those of no known meaning too. */
  readonly tlvs: readonly ProxyTlv[];
  /** Of an AWS load balancer behind PrivateLink: `vpce-08d2bf15fac5001c9`. */
  readonly vpcEndpointId: string | null;
}

export type ProxyProtocolResult =
  | ProxyHeader
  /** `atLeast`: until the bytes have this length a call may find a fault, but nothing whole. */
  | { readonly kind: 'need-more'; readonly atLeast: number }
  | { readonly kind: 'malformed'; readonly reason: ProxyProtocolFault };

/** `PROXY` and a space. */
const V1_SIGNATURE = Uint8Array.of(0x50, 0x52, 0x4f, 0x58, 0x59, 0x20);

/**
 * Reads a PROXY protocol header, version 1 or 2 (haproxy.org, proxy-protocol.txt), from a flow's first byte on. Whether
 * a sender may speak it must be known beforehand: nothing here can tell a load balancer from a client that pretends (§2).
 */
export function parseProxyProtocol(bytes: Uint8Array): ProxyProtocolResult {
  if (agree(bytes, V1_SIGNATURE)) return parseProxyV1(bytes);
  if (agree(bytes, PROXY_V2_SIGNATURE)) return parseProxyV2(bytes);
  return { kind: 'malformed', reason: 'signature' };
}

/** Whether one is a prefix of the other. */
function agree(bytes: Uint8Array, signature: Uint8Array): boolean {
  const length = Math.min(bytes.length, signature.length);
  for (let i = 0; i < length; i++) if (u8(bytes, i) !== u8(signature, i)) return false;
  return true;
}
