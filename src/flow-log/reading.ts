import type { SeenFlow } from '../policy/seen-flow.ts';

/** What one line of a log is. `other`: nothing about a decision, and nothing wrong with it. */
export type Reading =
  | {
      readonly kind: 'flow';
      readonly flow: SeenFlow;
      /** Whether the record names no port, so that the default stands in for it. */
      readonly portAssumed: boolean;
    }
  | { readonly kind: 'other' }
  | Broken;

/** A line that speaks of a decision, or begins to, but cannot be read. */
export interface Broken {
  readonly kind: 'broken';
  /** Words of ours only: nothing of the line. */
  readonly why: string;
}

export const OTHER: Reading = { kind: 'other' };

export function broken(why: string): Broken {
  return { kind: 'broken', why };
}
