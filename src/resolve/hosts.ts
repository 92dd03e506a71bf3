import type { IpAddress } from '../policy/address.ts';
import type { Hostname } from '../policy/hostname.ts';
import type { GuardVerdict, Resolution, ResolvedAddress, Resolver } from './resolver.ts';

/** Static entries never change within a process; they expire all the same, so that no consumer sees an endless time. */
const STATIC_TTL_MS = 300_000;

export interface StaticHostsOptions {
  /** `dns.hosts`: each name with its addresses in the order to dial. A name without addresses is `unknown`. */
  readonly hosts: ReadonlyMap<Hostname, readonly IpAddress[]>;
  readonly judge: (ip: IpAddress) => GuardVerdict;
  /** Asked for every name that is not in `hosts`. */
  readonly next: Resolver;
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
}

/** Answers the names in `dns.hosts` at once and passes the rest on. */
export class StaticHosts implements Resolver {
  readonly #addresses: ReadonlyMap<Hostname, readonly ResolvedAddress[]>;
  readonly #next: Resolver;
  readonly #now: () => number;

  constructor({ hosts, judge, next, now }: StaticHostsOptions) {
    this.#addresses = new Map(
      [...hosts].map(([hostname, ips]) => [hostname, ips.map(ip => ({ ip, guard: judge(ip) }))]),
    );
    this.#next = next;
    this.#now = now;
  }

  resolve(hostname: Hostname, done: (resolution: Resolution) => void, source?: IpAddress): void {
    const addresses = this.#addresses.get(hostname);
    if (addresses === undefined) {
      this.#next.resolve(hostname, done, source);
      return;
    }
    const expiresMs = this.#now() + STATIC_TTL_MS;
    done(
      addresses.length > 0
        ? { ok: true, addresses, expiresMs }
        : { ok: false, failure: 'unknown', expiresMs },
    );
  }
}
