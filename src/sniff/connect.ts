import { HOSTNAME_FAULTS, hostnameFault, isIpv4Text } from '../tls-sni/hostname.ts';
import { valuesOf } from './http-fields.ts';
import type { RequestHead } from './http-head.ts';
import { isIpv6Text, parsePort, type Target } from './target.ts';

/** Why a request head is no CONNECT that may be served: the closed list behind `reason`. */
export const CONNECT_FAULTS = {
  'not-connect': 'the method is not CONNECT',
  'target-port': 'the target has no port, or it is not a plain number from 1 to 65535',
  'target-address': 'the target has brackets around something that is no IPv6 address',
  'host-missing': 'an HTTP/1.1 request without a Host line (RFC 9112 §3.2)',
  'host-duplicate': 'more than one Host line (RFC 9112 §3.2)',
  'host-differs': 'the Host line names another host or port than the target',
  'has-body': 'Transfer-Encoding, or a Content-Length other than 0: CONNECT has no body (RFC 9110 §9.3.6)',
  ...HOSTNAME_FAULTS,
} as const;

export type ConnectFault = keyof typeof CONNECT_FAULTS;

export type ConnectResult = Target | { readonly kind: 'malformed'; readonly reason: ConnectFault };

/** Reads the target of a CONNECT request (authority-form with a port, RFC 9112 §3.2.3) and holds its Host line against it. */
export function parseConnect(head: RequestHead): ConnectResult {
  if (head.method !== 'CONNECT') return malformed('not-connect');
  const target = parseAuthority(head.target);
  if (target.kind === 'malformed') return target;
  const fault = bodyFault(head) ?? hostFault(head, head.target);
  return fault === null ? target : malformed(fault);
}

function parseAuthority(authority: string): ConnectResult {
  const colon = authority.lastIndexOf(':');
  const port = colon < 0 ? null : parsePort(authority.slice(colon + 1));
  if (port === null) return malformed('target-port');
  const host = authority.slice(0, colon);
  if (host.startsWith('[')) {
    const ip = host.slice(1, -1);
    return host.endsWith(']') && isIpv6Text(ip) ? { kind: 'address', ip, port } : malformed('target-address');
  }
  if (isIpv4Text(host)) return { kind: 'address', ip: host, port };
  const fault = hostnameFault(host);
  return fault === null ? { kind: 'name', hostname: host, port } : malformed(fault);
}

/** The Host line must be the target again, with the port or without; letter case does not count. */
function hostFault(head: RequestHead, authority: string): ConnectFault | null {
  const hosts = valuesOf(head.headers, 'host');
  if (hosts.length > 1) return 'host-duplicate';
  const [host] = hosts;
  if (host === undefined) return head.version === '1.1' ? 'host-missing' : null;
  const expected = authority.toLowerCase();
  const given = host.toLowerCase();
  return given === expected || given === expected.slice(0, expected.lastIndexOf(':')) ? null : 'host-differs';
}

function bodyFault(head: RequestHead): ConnectFault | null {
  const hasBody =
    valuesOf(head.headers, 'transfer-encoding').length > 0 ||
    valuesOf(head.headers, 'content-length').some(v => v !== '0');
  return hasBody ? 'has-body' : null;
}

function malformed(reason: ConnectFault): ConnectResult {
  return { kind: 'malformed', reason };
}
