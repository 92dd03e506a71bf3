import { IpAddress } from '../../src/policy/address.ts';
import { type Hostname, parseHostname } from '../../src/policy/hostname.ts';
import type { Resolution, Resolver } from '../../src/resolve/resolver.ts';

export function ip(text: string): IpAddress {
  const parsed = IpAddress.parse(text);
  if (parsed === null) throw new Error(`no address: ${text}`);
  return parsed;
}

export function hostname(text: string): Hostname {
  const parsed = parseHostname(text);
  if (!parsed.ok) throw new Error(`no hostname: ${text}`);
  return parsed.hostname;
}

/** One resolution as a promise. */
export function resolveOnce(resolver: Resolver, name: string): Promise<Resolution> {
  return new Promise(resolve => resolver.resolve(hostname(name), resolve));
}

/** The addresses of a resolution as text, or its failure. */
export function outcome(resolution: Resolution): readonly string[] | string {
  return resolution.ok ? resolution.addresses.map(({ ip }) => ip.toString()) : resolution.failure;
}
