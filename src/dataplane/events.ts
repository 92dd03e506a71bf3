import type { Action, State } from '../policy/decision.ts';
import type { Reason } from '../policy/reason.ts';

/** What the client spoke when it was judged; `connect` and `socks5` only where no inner protocol was seen. */
export type FlowProtocol = 'tls' | 'http' | 'connect' | 'socks5' | 'tcp' | 'unknown';

/**
 * How a flow ended. `refused`: the decision was deny; `name_mismatch`: cut because a later hello named another host;
 * `worker_died`: a fault ended the thread that served it;
 * `tls_refused`: the PostgreSQL server did not agree to the TLS that its client was promised.
 */
export type FlowEnd =
  | 'client_fin'
  | 'server_fin'
  | 'client_reset'
  | 'server_reset'
  | 'idle_timeout'
  | 'dial_failed'
  | 'drained'
  | 'policy_changed'
  | 'worker_died'
  | 'refused'
  | 'name_mismatch'
  | 'tls_refused';

/** Why a dial failed, for metrics. */
export type DialFailure = 'refused' | 'timeout' | 'unreachable' | 'other';

/** Who talks to whom: the part that both records of a flow share. Plain data: it crosses threads by structured clone. */
export interface FlowIdentity {
  /** Unique in this process' life and, with overwhelming likelihood, beyond. */
  readonly flow: string;
  readonly listener: string;
  readonly srcIp: string;
  readonly srcPort: number;
  /** The address dialled or, where the client chose one, its choice; null before any is known. */
  readonly dstIp: string | null;
  readonly dstPort: number;
  /** Normalised; null when the client named none or none that is a hostname. */
  readonly hostname: string | null;
  readonly protocol: FlowProtocol;
}

export interface DecisionEvent extends FlowIdentity {
  /** The VPC endpoint that the client came through, as a trusted peer says; null for none. */
  readonly vpcEndpoint: string | null;
  /** Epoch milliseconds. */
  readonly timeMs: number;
  readonly state: State;
  readonly action: Action;
  readonly reason: Reason | null;
  readonly rule: string | null;
  /** What exactly is malformed: a key of the sniffers' fault tables; null where nothing is. */
  readonly detail: string | null;
  /** The hello carried Encrypted Client Hello, real or GREASE. */
  readonly ech: boolean;
  /** The client of a transparent listener dialled an address that its hostname does not resolve to. */
  readonly dstMismatch: boolean;
  /** Accept to the end of sniffing, in milliseconds. */
  readonly sniffMs: number;
}

export interface CloseEvent extends FlowIdentity {
  /** What the observer said to the flow's decision. */
  readonly decision: Saying;
  /** Epoch milliseconds. */
  readonly timeMs: number;
  /** Client to upstream, as the upstream was sent them. */
  readonly bytesOut: number;
  /** Upstream to client. */
  readonly bytesIn: number;
  /** Accept to close, in milliseconds. */
  readonly durationMs: number;
  readonly end: FlowEnd;
  /** Set when a later hello spoke against the flow: it was cut for it, or would have been but for observe mode. */
  readonly reason: 'name_mismatch' | null;
  /** Dial start to connected, in milliseconds; null when nothing was dialled or no dial succeeded. */
  readonly dialMs: number | null;
  /** Set exactly when `end` is dial_failed. */
  readonly dialFailure: DialFailure | null;
}

/**
 * What became of a decision's record, and becomes of its close: said by itself, folded into one that stands for several
 * alike, or counted in one that stands for all that a source did besides.
 */
export type Saying = 'said' | 'folded' | 'counted';

/** Where a data plane says what happened: for every flow one `decided`, then one `closed`. */
export interface FlowObserver {
  decided(event: DecisionEvent): Saying;
  closed(event: CloseEvent): void;
}
