import type { Reason } from './reason.ts';

/** `observe` forwards all and says what `enforce` would drop. */
export type Mode = 'observe' | 'enforce';

/** What the rules say: an allow rule matched, none did, or a deny rule, a guard or a limit forbids. */
export type State = 'MATCHED' | 'NO_MATCH' | 'DENIED';

/** What is done about it. */
export type Action = 'allow' | 'deny' | 'would-deny';

/** What to do when a hello carries Encrypted Client Hello: refuse, or judge by the outer name. */
export type EchMode = 'deny' | 'outer';

/** The policy's answer for one hostname, port and source, before any guard or limit outside the policy. */
export interface Ruling {
  readonly state: State;
  /** Index of the rule that decided, or -1 when none did. `Policy.ruleName` turns it into a name. */
  readonly rule: number;
  /** Null exactly when `state` is MATCHED. */
  readonly reason: Reason | null;
  /** The mode in force for this source at this time. */
  readonly mode: Mode;
  /** Whether the rule lets the hostname resolve to private addresses. */
  readonly allowPrivate: boolean;
  /** The rule's own ECH mode, else the policy's. */
  readonly ech: EchMode;
}

/** The final word on a flow. `reason` is null exactly when `action` is allow. */
export interface Decision {
  readonly action: Action;
  readonly state: State;
  readonly rule: string | null;
  readonly reason: Reason | null;
}
