import type { IpAddress } from '../policy/address.ts';
import type { Hostname } from '../policy/hostname.ts';

/** What the destination guard says of an address: dial it, dial it only where private ranges are allowed, never dial it. */
export type GuardVerdict = 'ok' | 'private' | 'forbidden';

export interface ResolvedAddress {
  readonly ip: IpAddress;
  readonly guard: GuardVerdict;
}

/** Why a name has no address. `unknown`: NXDOMAIN or no A/AAAA data; `unreachable`: servers failed, refused or timed out; `limited`: too much was asked. */
export type ResolveFailure = 'unknown' | 'unreachable' | 'limited';

/**
 * `addresses` is never empty and holds both families, in the order to dial. `expiresMs` is told by a monotonic clock, which
 * nobody sets: that of the thread which asked.
 */
export type Resolution =
  | { readonly ok: true; readonly addresses: readonly ResolvedAddress[]; readonly expiresMs: number }
  | { readonly ok: false; readonly failure: ResolveFailure; readonly expiresMs: number };

/**
 * Turns hostnames into judged addresses. `done` is called exactly once, possibly before `resolve` returns
 * (a cache hit); callbacks rather than promises, because a data plane worker never returns to the event loop.
 */
export interface Resolver {
  /** `source`: the client that asks; absent: the daemon itself. */
  resolve(hostname: Hostname, done: (resolution: Resolution) => void, source?: IpAddress): void;
}
