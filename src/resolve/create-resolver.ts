import type { IpAddress } from '../policy/address.ts';
import type { Hostname } from '../policy/hostname.ts';
import { CachingResolver } from './caching-resolver.ts';
import { CaresResolver, type ResolveLimits } from './cares.ts';
import { FairLookups, type LookupLimits } from './fair-lookups.ts';
import type { DestinationGuard } from './guard.ts';
import { StaticHosts } from './hosts.ts';
import type { Resolver } from './resolver.ts';

export interface CreateResolverOptions {
  /** `dns.servers`: `ip`, `ip:port` or `[ip]:port`; the system's when empty. */
  readonly servers: readonly string[];
  /** `dns.hosts`. */
  readonly hosts: ReadonlyMap<Hostname, readonly IpAddress[]>;
  readonly guard: Pick<DestinationGuard, 'judge'>;
  /** Monotonic, in milliseconds; default `performance.now`. */
  readonly now?: () => number;
  readonly limits?: Partial<ResolveLimits>;
  readonly lookups?: Partial<LookupLimits>;
}

/** The main thread's resolver: static hosts, then the cache, then DNS, which sources share. Throws on a server that is no address. */
export function createResolver({
  servers,
  hosts,
  guard,
  now = () => performance.now(),
  limits = {},
  lookups = {},
}: CreateResolverOptions): Resolver {
  const judge = (ip: IpAddress) => guard.judge(ip);
  const upstream = new CaresResolver({ servers, judge, now, limits });
  const cache = new CachingResolver(upstream, { now });
  return new StaticHosts({ hosts, judge, now, next: new FairLookups(cache, { now, limits: lookups }) });
}
