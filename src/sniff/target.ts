import ipaddr from 'ipaddr.js';

/** Where a client asks a proxy to connect it to. */
export type Target =
  /** `hostname` as sent, case kept, in the grammar of `hostnameFault`. */
  | { readonly kind: 'name'; readonly hostname: string; readonly port: number }
  /** `ip`: standard text, IPv6 without brackets. */
  | { readonly kind: 'address'; readonly ip: string; readonly port: number };

/** An IPv6 address in text, without brackets and without a zone. The longest form has 45 characters. */
export function isIpv6Text(text: string): boolean {
  return text.length <= 45 && text.includes(':') && !text.includes('%') && ipaddr.IPv6.isValid(text);
}

/** A port in decimal, 1 to 65535, without sign or leading zeros; null for anything else. */
export function parsePort(text: string): number | null {
  if (!/^[1-9][0-9]{0,4}$/.test(text)) return null;
  const port = Number(text);
  return port <= 65_535 ? port : null;
}
