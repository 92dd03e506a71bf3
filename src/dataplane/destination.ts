import type { IpAddress } from '../policy/address.ts';
import { interleave } from '../resolve/interleave.ts';
import type { ResolvedAddress } from '../resolve/resolver.ts';
import type { DestinationMode } from './listener.ts';

/** Where a flow may be dialled. */
export type Destination =
  /**
   * `addresses`: in order of preference, not empty. `onlyObserved`: they are private and pass only because observe mode
   * breaks nothing.
   */
  | { readonly ok: true; readonly addresses: readonly IpAddress[]; readonly onlyObserved: boolean }
  | { readonly ok: false; readonly reason: 'destination_forbidden' | 'destination_mismatch' };

export interface DestinationRules {
  readonly allowPrivate: boolean;
  readonly observing: boolean;
  readonly isOwn: (ip: IpAddress) => boolean;
  /** The address that the client of a transparent listener dialled, and what it counts for. */
  readonly original: { readonly ip: IpAddress; readonly mode: DestinationMode } | null;
}

/**
 * Applies the destination guard: forbidden addresses and our own listeners never, private ones where the rule allows
 * them, or where we only observe and there is no other. A client's own choice goes first when it is among them, and the
 * addresses of its family before the others: that one leads somewhere from where the client is.
 */
export function chooseDestination(
  candidates: readonly ResolvedAddress[],
  { allowPrivate, observing, isOwn, original }: DestinationRules,
): Destination {
  const allowed: IpAddress[] = [];
  const observed: IpAddress[] = [];
  for (const { ip, guard } of candidates) {
    if (guard === 'forbidden' || isOwn(ip)) continue;
    if (guard === 'ok' || allowPrivate) allowed.push(ip);
    else if (observing) observed.push(ip);
  }
  const onlyObserved = allowed.length === 0;
  const addresses = onlyObserved ? observed : allowed;
  if (addresses.length === 0) return { ok: false, reason: 'destination_forbidden' };
  if (original === null) return { ok: true, addresses, onlyObserved };
  const others = addresses.filter(ip => !ip.equals(original.ip));
  const isAmong = others.length < addresses.length;
  if (!isAmong && original.mode === 'verify') return { ok: false, reason: 'destination_mismatch' };
  const first = isAmong ? [original.ip] : [];
  return { ok: true, addresses: inFamilyOf(original.ip, [...first, ...others]), onlyObserved };
}

function inFamilyOf({ family }: IpAddress, addresses: readonly IpAddress[]): readonly IpAddress[] {
  if (addresses.every(ip => ip.family === family)) return addresses;
  return interleave([
    addresses.filter(ip => ip.family === family),
    addresses.filter(ip => ip.family !== family),
  ]);
}
