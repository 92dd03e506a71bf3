import { type HostnameFault, hostnameFault, isIpv4Text } from '../tls-sni/hostname.ts';
import { isIpv6Text, parsePort } from './target.ts';

/** `uri-host [ ":" port ]`, as a Host line and the target of a request carry it (RFC 9110 §7.2). */
export interface Authority {
  /** `ip`: standard text, IPv6 without brackets. `name`: as sent, in the grammar of `hostnameFault`. */
  readonly kind: 'name' | 'ip';
  readonly host: string;
  /** Null when it says none. */
  readonly port: number | null;
}

export type AuthorityFault = 'authority-port' | 'authority-address' | HostnameFault;

/** Reads an authority; without userinfo, whose `@` no name holds. An empty port counts as a faulty one. */
export function readAuthority(text: string): Authority | AuthorityFault {
  const isBracketed = text.startsWith('[');
  const last = text.lastIndexOf(isBracketed ? ']' : ':');
  const host = last < 0 ? text : text.slice(0, isBracketed ? last + 1 : last);
  const rest = text.slice(host.length);
  const port = rest === '' ? null : parsePort(rest.slice(1));
  if (rest !== '' && (port === null || !rest.startsWith(':'))) return 'authority-port';
  if (isBracketed) {
    const ip = host.slice(1, -1);
    return host.endsWith(']') && isIpv6Text(ip) ? { kind: 'ip', host: ip, port } : 'authority-address';
  }
  if (isIpv4Text(host)) return { kind: 'ip', host, port };
  return hostnameFault(host) ?? { kind: 'name', host, port };
}
