import type { IpAddress } from '../policy/address.ts';
import type { Resolution, ResolvedAddress } from '../resolve/resolver.ts';
import { chooseDestination } from './destination.ts';
import type { FlowRecorder } from './flow-recorder.ts';
import type { Judgement } from './judgement.ts';
import type { Listener } from './listener.ts';
import type { Endpoint } from './wire.ts';
import type { World } from './world.ts';

/** In observe mode a slow resolver is not waited for longer than this before the client's own choice is dialled. */
const COMPARE_MS = 500;

export interface RouteOptions {
  readonly listener: Listener;
  readonly world: World;
  readonly judgement: Judgement;
  /** Says which name, and is told of addresses. */
  readonly record: FlowRecorder;
  /** The address that the client itself chose. */
  readonly target: Endpoint | null;
  /** A tcp rule has judged the flow: the client's own choice is the one to dial. */
  readonly isTcp: boolean;
}

/**
 * Finds the addresses that a judged flow may be dialled at, in order of preference, and holds them against the destination
 * guard. Calls `found` once, possibly at once; with null when there is none, and then the judgement says why, unless a
 * flow without a name is only observed and there is nowhere to forward it to.
 */
export function findRoute(
  options: RouteOptions,
  found: (addresses: readonly IpAddress[] | null) => void,
): void {
  const { world, judgement, record } = options;
  const chosen = chosenByClient(options);
  if (chosen !== null) {
    const candidate = { ip: chosen, guard: world.guard.judge(chosen) };
    return compareFirst(options, () => found(guarded(options, [candidate])));
  }
  if (record.hostname === null) return found(null);
  const resolved = (resolution: Resolution) => {
    if (resolution.ok) {
      compare(options, resolution.addresses);
      return found(guarded(options, resolution.addresses));
    }
    judgement.unresolved(resolution.failure);
    found(null);
  };
  world.resolver.resolve(record.hostname, resolved, record.client.ip);
}

/** The client's own choice of address, where that is the one to dial. */
function chosenByClient({ listener, judgement, target, isTcp }: RouteOptions): IpAddress | null {
  const isTrusted = isTcp || (listener.kind === 'transparent' && listener.destination === 'original');
  return isTrusted || judgement.isObserving ? (target?.ip ?? null) : null;
}

/** Before a client's own choice is dialled in observe mode: says whether enforcing would have dialled another address. */
function compareFirst(options: RouteOptions, next: () => void): void {
  const { listener, world, judgement, record, isTcp } = options;
  const { hostname } = record;
  const isByName = listener.kind === 'transparent' && !isTcp;
  if (hostname === null || !isByName || !judgement.isObserving) return next();
  let isCompared = false;
  const goOn = () => {
    if (isCompared) return;
    isCompared = true;
    patience.cancel();
    next();
  };
  const patience = world.timers.after(COMPARE_MS, goOn);
  const resolved = (resolution: Resolution) => {
    if (resolution.ok && !isCompared) compare(options, resolution.addresses);
    goOn();
  };
  world.resolver.resolve(hostname, resolved, record.client.ip);
}

/** Notes whether the client's own choice is among the addresses of the name it gave. */
function compare(
  { listener, judgement, record, target }: RouteOptions,
  resolved: readonly ResolvedAddress[],
): void {
  if (listener.kind !== 'transparent' || target === null) return;
  record.dstMismatch = !resolved.some(({ ip }) => ip.equals(target.ip));
  if (record.dstMismatch && listener.destination === 'verify' && judgement.isObserving) {
    judgement.object('destination_mismatch', 'DENIED');
  }
}

function guarded(
  { listener, world, judgement, record, target }: RouteOptions,
  resolved: readonly ResolvedAddress[],
): readonly IpAddress[] | null {
  const candidates = judgement.withoutDenied(resolved, record.dstPort, world.tcpAddresses());
  if (judgement.isRefused) {
    record.dstIp ??= resolved[0]?.ip ?? null;
    return null;
  }
  const destination = chooseDestination(candidates, {
    allowPrivate: judgement.allowsPrivate,
    observing: judgement.isObserving,
    isOwn: ip => world.guard.isOwn(ip, record.dstPort),
    original:
      listener.kind === 'transparent' && target !== null
        ? { ip: target.ip, mode: listener.destination }
        : null,
  });
  if (!destination.ok) {
    record.dstIp ??= candidates[0]?.ip ?? null;
    judgement.forbid(destination.reason, 'DENIED');
    return null;
  }
  if (destination.onlyObserved) judgement.object('destination_forbidden', 'DENIED');
  return destination.addresses;
}
