import type { Action, State } from './decision.ts';

/** What a log says of one decision. Texts are as they were logged: nothing is checked but what the types say. */
export interface SeenFlow {
  /** Epoch milliseconds; null where the log names no time. */
  readonly timeMs: number | null;
  /** The source address. */
  readonly source: string;
  /** The VPC endpoint that it came through; absent or undefined for none. */
  readonly vpcEndpoint?: string | undefined;
  /** The address dialled or chosen; null where none was known. */
  readonly destination: string | null;
  /** Null where the client named none. */
  readonly hostname: string | null;
  /** 1 to 65535. */
  readonly port: number;
  readonly state: State;
  /** Null where the log does not say what was done. */
  readonly action: Action | null;
  /** In lower case; null where nothing spoke against the flow. */
  readonly reason: string | null;
  readonly rule: string | null;
  /** Whether the hello is known to have carried Encrypted Client Hello. */
  readonly ech: boolean;
  /** How many flows the record stands for: more than one where identical ones were folded. */
  readonly flows: number;
}

/** Whether the rules allowed the flow and it was forwarded. A name that is allowed but does not resolve is not. */
export function wasAllowed({ state, action, reason }: SeenFlow): boolean {
  return state === 'MATCHED' && (action === null ? reason === null : action === 'allow');
}
