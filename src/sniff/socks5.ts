import ipaddr from 'ipaddr.js';
import { latin1, u8, u16 } from '../tls-sni/bytes.ts';
import { HOSTNAME_FAULTS, hostnameFault, isIpv4Text } from '../tls-sni/hostname.ts';
import type { Target } from './target.ts';

/** Why bytes are no SOCKS5 greeting or request: the closed list behind `reason`. */
export const SOCKS5_FAULTS = {
  version: 'the version is not 5',
  'no-methods': 'the greeting lists no authentication method',
  reserved: 'the reserved byte of the request is not 0',
  port: 'the port is 0',
  ...HOSTNAME_FAULTS,
} as const;

type Socks5Fault = keyof typeof SOCKS5_FAULTS;

/** Reply codes (RFC 1928 §6). */
const SOCKS5_REPLIES = {
  succeeded: 0x00,
  'general-failure': 0x01,
  'not-allowed': 0x02,
  'network-unreachable': 0x03,
  'host-unreachable': 0x04,
  'connection-refused': 0x05,
  'ttl-expired': 0x06,
  'command-not-supported': 0x07,
  'address-type-not-supported': 0x08,
} as const;

export type Socks5Reply = keyof typeof SOCKS5_REPLIES;

/** `atLeast`: until the bytes have this length a call may find a fault, but nothing whole. */
interface NeedMore {
  readonly kind: 'need-more';
  readonly atLeast: number;
}

interface Malformed {
  readonly kind: 'malformed';
  readonly reason: Socks5Fault;
}

export type Socks5Greeting =
  | { readonly kind: 'done'; readonly consumed: number }
  /** The client insists on authentication: answer `socks5Method(false)` and close. */
  | { readonly kind: 'no-acceptable-method'; readonly consumed: number }
  | NeedMore
  | Malformed;

export type Socks5Request =
  | { readonly kind: 'done'; readonly target: Target; readonly consumed: number }
  /** Answer with the reply of the same name and close. */
  | { readonly kind: 'command-not-supported' }
  | { readonly kind: 'address-type-not-supported' }
  | NeedMore
  | Malformed;

const VERSION = 5;
const NO_AUTHENTICATION = 0x00;
const NO_ACCEPTABLE_METHOD = 0xff;
const CONNECT = 1;
const IPV4 = 1;
const DOMAIN = 3;
const IPV6 = 4;
const REQUEST_HEADER_BYTES = 4;

/** Reads the client's greeting (RFC 1928 §3) from the flow's first byte on: done when it offers to go without authentication. */
export function parseSocks5Greeting(bytes: Uint8Array): Socks5Greeting {
  if (bytes.length >= 1 && u8(bytes, 0) !== VERSION) return malformed('version');
  if (bytes.length < 2) return { kind: 'need-more', atLeast: 2 };
  const count = u8(bytes, 1);
  if (count === 0) return malformed('no-methods');
  const consumed = 2 + count;
  if (bytes.length < consumed) return { kind: 'need-more', atLeast: consumed };
  const isOffered = bytes.subarray(2, consumed).includes(NO_AUTHENTICATION);
  return { kind: isOffered ? 'done' : 'no-acceptable-method', consumed };
}

/**
 * Reads a CONNECT request (RFC 1928 §4) from its first byte on. A dotted quad sent as a domain name counts as the
 * address it is, because some clients send all targets so.
 */
export function parseSocks5Request(bytes: Uint8Array): Socks5Request {
  if (bytes.length >= 1 && u8(bytes, 0) !== VERSION) return malformed('version');
  if (bytes.length >= 2 && u8(bytes, 1) !== CONNECT) return { kind: 'command-not-supported' };
  if (bytes.length >= 3 && u8(bytes, 2) !== 0) return malformed('reserved');
  if (bytes.length < REQUEST_HEADER_BYTES) return { kind: 'need-more', atLeast: REQUEST_HEADER_BYTES };
  switch (u8(bytes, 3)) {
    case IPV4:
      return parseAddress(bytes, 4);
    case IPV6:
      return parseAddress(bytes, 16);
    case DOMAIN:
      return parseDomain(bytes);
    default:
      return { kind: 'address-type-not-supported' };
  }
}

/** The answer to a greeting: go on without authentication, or no method is acceptable. */
export function socks5Method(accepted: boolean): Uint8Array {
  return Uint8Array.of(VERSION, accepted ? NO_AUTHENTICATION : NO_ACCEPTABLE_METHOD);
}

/** The answer to a request. The bound address is 0.0.0.0:0: it would tell the client about the proxy's own network. */
export function socks5Reply(reply: Socks5Reply): Uint8Array {
  return Uint8Array.of(VERSION, SOCKS5_REPLIES[reply], 0, IPV4, 0, 0, 0, 0, 0, 0);
}

function parseAddress(bytes: Uint8Array, length: 4 | 16): Socks5Request {
  const portAt = REQUEST_HEADER_BYTES + length;
  if (bytes.length < portAt + 2) return { kind: 'need-more', atLeast: portAt + 2 };
  const octets = Array.from(bytes.subarray(REQUEST_HEADER_BYTES, portAt));
  const ip = length === 4 ? octets.join('.') : new ipaddr.IPv6(octets).toRFC5952String();
  return finish({ kind: 'address', ip, port: u16(bytes, portAt) }, portAt + 2);
}

function parseDomain(bytes: Uint8Array): Socks5Request {
  const nameAt = REQUEST_HEADER_BYTES + 1;
  if (bytes.length < nameAt) return { kind: 'need-more', atLeast: nameAt };
  const portAt = nameAt + u8(bytes, REQUEST_HEADER_BYTES);
  if (bytes.length < portAt + 2) return { kind: 'need-more', atLeast: portAt + 2 };
  const name = latin1(bytes, nameAt, portAt);
  const port = u16(bytes, portAt);
  if (isIpv4Text(name)) return finish({ kind: 'address', ip: name, port }, portAt + 2);
  const fault = hostnameFault(name);
  return fault === null ? finish({ kind: 'name', hostname: name, port }, portAt + 2) : malformed(fault);
}

function finish(target: Target, consumed: number): Socks5Request {
  return target.port === 0 ? malformed('port') : { kind: 'done', target, consumed };
}

function malformed(reason: Socks5Fault): Malformed {
  return { kind: 'malformed', reason };
}
