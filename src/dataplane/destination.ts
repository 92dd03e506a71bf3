import type { IpAddress } from '../policy/address.ts';
import type { ResolvedAddress } from '../resolve/resolver.ts';

/** Which of a name's addresses may be dialled. */
export interface Choice {
  /** In order of preference; empty when every address is guarded. */
  readonly addresses: readonly IpAddress[];
  /** The addresses are private and only observe mode lets them pass: enforce would deny. */
  readonly onlyObserved: boolean;
}

/**
 * Applies the destination guard: forbidden addresses and our own listeners never, private ones where the rule allows
 * them, or where we only observe and there is no other.
 */
export function chooseAddresses(
  candidates: readonly ResolvedAddress[],
  options: { allowPrivate: boolean; observing: boolean; isOwn: (ip: IpAddress) => boolean },
): Choice {
  const dialable = candidates.filter(({ ip, guard }) => guard !== 'forbidden' && !options.isOwn(ip));
  const allowed = dialable.filter(({ guard }) => guard === 'ok' || options.allowPrivate);
  const onlyObserved = allowed.length === 0 && options.observing && dialable.length > 0;
  return { addresses: (onlyObserved ? dialable : allowed).map(({ ip }) => ip), onlyObserved };
}

/** Puts the address that the client dialled first, when it is among them. Null when it is not. */
export function preferClientChoice(addresses: readonly IpAddress[], choice: IpAddress): IpAddress[] | null {
  if (!addresses.some(ip => ip.equals(choice))) return null;
  return [choice, ...addresses.filter(ip => !ip.equals(choice))];
}
