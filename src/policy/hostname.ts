import { type HostnameFault, hostnameFault } from '../tls-sni/hostname.ts';

declare const hostnameBrand: unique symbol;

/** A hostname that keeps the wire grammar, in ASCII lower case: the one form that rules and traffic are compared in. */
export type Hostname = string & { readonly [hostnameBrand]: true };

export type HostnameResult =
  | { readonly ok: true; readonly hostname: Hostname }
  | { readonly ok: false; readonly fault: HostnameFault };

/** Checks the grammar (see `hostnameFault`) and folds to lower case. No mapping of any other kind: traffic carries A-labels. */
export function parseHostname(text: string): HostnameResult {
  const fault = hostnameFault(text);
  if (fault !== null) return { ok: false, fault };
  return { ok: true, hostname: foldHostname(text) };
}

/** Folds a name that is known to keep the grammar (a hello's, which the TLS parser has checked). */
export function foldHostname(name: string): Hostname {
  // The grammar admits ASCII only, so toLowerCase cannot fold U+212A to k or U+0130 to i here.
  return name.toLowerCase() as Hostname;
}
