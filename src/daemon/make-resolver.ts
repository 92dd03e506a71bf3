import type { DaemonConfig } from '../config/daemon-config.ts';
import { makeGuard } from '../dataplane/guard.ts';
import type { IpAddress } from '../policy/address.ts';
import { type Hostname, parseHostname } from '../policy/hostname.ts';
import { createResolver } from '../resolve/create-resolver.ts';
import type { Resolver } from '../resolve/resolver.ts';
import { checkedAddress } from './endpoint.ts';

/** The resolver that the configuration asks for. */
export function makeResolver({ dns, destinations, limits }: DaemonConfig): Resolver {
  const hosts = new Map<Hostname, IpAddress[]>();
  for (const [name, addresses] of Object.entries(dns.hosts)) {
    const parsed = parseHostname(name);
    if (!parsed.ok) throw new Error(`the configuration let ${name} pass`);
    hosts.set(parsed.hostname, addresses.map(checkedAddress));
  }
  return createResolver({
    servers: dns.servers,
    hosts,
    guard: makeGuard(destinations, []),
    lookups: { perSourceAndSecond: limits.lookupsPerSource },
  });
}
