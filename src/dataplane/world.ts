import type { IpAddress } from '../policy/address.ts';
import type { KnownAddresses, Policy } from '../policy/policy.ts';
import type { GuardVerdict, Resolver } from '../resolve/resolver.ts';
import type { Clock } from './clock.ts';
import type { FlowObserver } from './events.ts';
import type { Openings } from './openings.ts';
import type { Timers } from './timers.ts';

/** What to do with a client that is refused: say so in its own protocol, reset, or hang up without a word. */
export type OnDeny = 'alert' | 'reset' | 'drop';

/** What becomes of open flows that a new policy refuses. */
export type OnPolicyChange = 'keep' | 'close';

/** The static part of the configuration that a flow needs. */
export interface FlowSettings {
  readonly helloTimeoutMs: number;
  readonly helloBytes: number;
  readonly dialTimeoutMs: number;
  readonly onDeny: OnDeny;
  readonly onPolicyChange: OnPolicyChange;
}

/** Which addresses may be dialled. */
export interface Guard {
  judge(ip: IpAddress): GuardVerdict;
  /** Whether this is one of the daemon's own listeners. */
  isOwn(ip: IpAddress, port: number): boolean;
}

/** Everything outside a flow that it depends on. */
export interface World {
  readonly settings: FlowSettings;
  readonly resolver: Resolver;
  readonly guard: Guard;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly observer: FlowObserver;
  /** Where a flow counts until its opening has come. */
  readonly openings: Openings;
  /** The policy in force now. A flow asks once, when it is judged. */
  policy(): Policy;
  /** What the hosts of tcp rules resolve to now. */
  tcpAddresses(): KnownAddresses;
  nextFlowId(): string;
}
