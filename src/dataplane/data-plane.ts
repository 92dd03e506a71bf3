import type { Policy } from '../policy/policy.ts';
import type { TcpAddresses } from '../policy/tcp-addresses.ts';
import type { Resolver } from '../resolve/resolver.ts';
import type { DescriptorReport } from './descriptors.ts';
import type { PlainExceptions } from './guard.ts';
import type { Listener } from './listener.ts';
import type { OpeningLimits } from './openings.ts';
import type { Endpoint, RelayedBytes } from './wire.ts';
import type { FlowSettings } from './world.ts';

export interface RelaySettings {
  readonly idleTimeoutMs: number;
  /** How long one direction may stay silent after the other has ended. */
  readonly halfClosedTimeoutMs: number;
}

export interface ListenerAddress {
  readonly listener: Listener;
  readonly address: Endpoint;
  /** Listening sockets for it that another process opened, which the plane owns from now on. None: it opens its own. */
  readonly inherited: InheritedSockets | null;
}

/** Listening sockets of one address that another process opened. */
export interface InheritedSockets {
  readonly fds: readonly number[];
  /** Whoever opened them keeps them, so that what is queued is served after us as well. */
  readonly areKept: boolean;
}

export interface DataPlaneOptions {
  readonly listeners: readonly ListenerAddress[];
  /**
   * A predecessor that could not pass its sockets on listens at the same addresses for a while. Otherwise an address
   * that is in use is a ListenError.
   */
  readonly joinsPredecessor: boolean;
  readonly settings: FlowSettings & RelaySettings;
  /** Signs the answers to plain HTTP that is refused. */
  readonly gateway: string;
  /** Open flows at most; `auto`: what the limit of open descriptors allows. */
  readonly flowLimit: number | 'auto';
  /** Open flows of one source address at most; 0: no limit. */
  readonly flowsPerSource: number;
  readonly openings: OpeningLimits;
  readonly guard: PlainExceptions;
  /** Addresses besides the listeners' that the daemon answers on and never dials. */
  readonly ownAddresses: readonly Endpoint[];
  readonly policy: Policy;
  readonly resolver: Resolver;
  /** Hears when accepting pauses and goes on, and of connections that were reset, for want of descriptors. */
  readonly onDescriptors: (report: DescriptorReport) => void;
}

/** Accepts flows and serves them until drained. */
export interface DataPlane {
  readonly kind: 'epoll' | 'portable';
  readonly workers: number;
  /** How many of them accept now: fewer while one that has died is started again. */
  readonly servingWorkers: number;
  readonly flowLimit: number;
  /** Where it really listens: a configured port 0 has become a number. */
  readonly listening: readonly { readonly name: string; readonly address: Endpoint }[];
  /** New flows are judged by `policy` from now on; those under way keep theirs. */
  setPolicy(policy: Policy): void;
  /** What the hosts of tcp rules resolve to from now on. */
  setTcpAddresses(addresses: TcpAddresses): void;
  openFlows(listener: string): number;
  /** Open flows whose hello or request has not come. */
  readonly undecidedFlows: number;
  bytes(): RelayedBytes;
  /** The listening sockets, for a successor to serve as well; none where they cannot be told. The plane owns them. */
  readonly descriptors: readonly number[];
  /**
   * Accepts no more and waits for the flows under way; after `timeoutMs` ends them. Resolves when nothing is left, to
   * how many were ended. With a successor that has our sockets, what they queue is left to it.
   */
  drain(timeoutMs: number, hasSuccessor: boolean): Promise<number>;
}

/** A listening address that cannot be had: `message` names the listener, the cause and what to change. */
export class ListenError extends Error {}

/** The words for a ListenError. `what` wants to listen; `code` is Node's, as in EADDRINUSE. */
export function listenFailure(what: string, { ip, port }: Endpoint, code: string | undefined): string {
  const where = ip.family === 6 ? `[${ip}]:${port}` : `${ip}:${port}`;
  return `${what}: cannot listen on ${where}: ${LISTEN_CAUSES[code ?? ''] ?? code}`;
}

const LISTEN_CAUSES: Readonly<Record<string, string>> = {
  EADDRINUSE:
    'address already in use (stop the process that listens there, change this address, or take over from a running sallyport by run --take-over)',
  EADDRNOTAVAIL: 'no such address on this host (use one of its own, 0.0.0.0 or [::])',
  EPERM:
    'not permitted (intercept: tproxy needs CAP_NET_RAW or CAP_NET_ADMIN: grant one, or write intercept: redirect)',
  EACCES: 'permission denied (ports below 1024 need CAP_NET_BIND_SERVICE: use a higher one)',
};
