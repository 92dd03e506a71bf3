import ipaddr from 'ipaddr.js';
import { latin1, u8 } from '../tls-sni/bytes.ts';
import { isIpv4Text } from '../tls-sni/hostname.ts';
import type { ProxyAddresses, ProxyProtocolFault, ProxyProtocolResult } from './proxy-protocol.ts';
import { isIpv6Text } from './target.ts';

const MAX_BYTES = 107;
/** `PROXY UNKNOWN` and its CR LF. */
const LEAST_BYTES = 15;
const CR = 0x0d;
const LF = 0x0a;

/** Reads the line of version 1 (proxy-protocol.txt §2.1). The bytes, as far as they go, begin with `PROXY `. */
export function parseProxyV1(bytes: Uint8Array): ProxyProtocolResult {
  const end = lineEnd(bytes);
  if (typeof end !== 'number') return end;
  const [, protocol = '', ...fields] = latin1(bytes, 0, end).split(' ');
  const consumed = end + 2;
  if (protocol === 'UNKNOWN') return done(consumed, null);
  if (protocol !== 'TCP4' && protocol !== 'TCP6') return malformed('v1-protocol');
  const [source, destination, sourcePort, destinationPort, ...more] = fields;
  if (
    source === undefined ||
    destination === undefined ||
    sourcePort === undefined ||
    destinationPort === undefined ||
    more.length > 0
  ) {
    return malformed('v1-fields');
  }
  const read = protocol === 'TCP4' ? readIpv4 : readIpv6;
  const [from, to] = [read(source), read(destination)];
  if (from === null || to === null) return malformed('v1-address');
  const [fromPort, toPort] = [readPort(sourcePort), readPort(destinationPort)];
  if (fromPort === null || toPort === null) return malformed('v1-port');
  return done(consumed, { source: { ip: from, port: fromPort }, destination: { ip: to, port: toPort } });
}

/** Where the CR LF is. Looks at no more than the longest line. */
function lineEnd(bytes: Uint8Array): number | Exclude<ProxyProtocolResult, { kind: 'done' }> {
  const limit = Math.min(bytes.length, MAX_BYTES);
  for (let i = 0; i < limit; i++) {
    const byte = u8(bytes, i);
    if (byte === LF) return malformed('v1-line-end');
    if (byte !== CR || i + 1 === limit) continue;
    return u8(bytes, i + 1) === LF ? i : malformed('v1-line-end');
  }
  if (limit === MAX_BYTES) return malformed('v1-too-long');
  const missing = limit > 0 && u8(bytes, limit - 1) === CR ? 1 : 2;
  return { kind: 'need-more', atLeast: Math.max(LEAST_BYTES, limit + missing) };
}

function readIpv4(text: string): string | null {
  return isIpv4Text(text) ? text : null;
}

function readIpv6(text: string): string | null {
  return isIpv6Text(text) ? ipaddr.IPv6.parse(text).toRFC5952String() : null;
}

/** Unlike a target's port, one that a proxy reports may be 0. */
function readPort(text: string): number | null {
  return /^(?:0|[1-9][0-9]{0,4})$/.test(text) && Number(text) <= 65_535 ? Number(text) : null;
}

function done(consumed: number, addresses: ProxyAddresses | null): ProxyProtocolResult {
  return { kind: 'done', version: 1, consumed, addresses, tlvs: [], vpcEndpointId: null };
}

function malformed(reason: ProxyProtocolFault): { kind: 'malformed'; reason: ProxyProtocolFault } {
  return { kind: 'malformed', reason };
}
