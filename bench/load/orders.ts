import type { BulkCommand } from './conversation.ts';
import type { LatencySummary } from './latencies.ts';

/** Where flows go. Several addresses of one listener keep ports in TIME_WAIT apart. */
export interface Target {
  readonly hosts: readonly string[];
  readonly port: number;
  /** The port to name in a CONNECT that goes before the hello; null: the hello comes first. */
  readonly connectTo: number | null;
}

/** What the runner asks of the load agent. A short flow is: connect, hello, answer, close. */
export type LoadOrder =
  /** `flows` short flows, `concurrency` at a time: the next one starts when one has ended. */
  | {
      readonly type: 'closed';
      readonly target: Target;
      readonly flows: number;
      readonly concurrency: number;
    }
  /** Short flows that start by a schedule, whatever became of the ones before. */
  | {
      readonly type: 'open';
      readonly target: Target;
      readonly flowsPerSecond: number;
      readonly seconds: number;
      /** Goes before, at the same rate, without its latencies being counted: caches are cold, in all that take part. */
      readonly leadSeconds?: number;
    }
  /** One flow that moves data in one direction. */
  | ({ readonly type: 'bulk'; readonly target: Target } & BulkCommand)
  /** One short flow, which may fail. */
  | { readonly type: 'probe'; readonly target: Target }
  /** Opens `flows` flows up to their answers and keeps them. */
  | { readonly type: 'hold'; readonly target: Target; readonly flows: number }
  /** Closes those that are kept. */
  | { readonly type: 'release' };

export interface FlowsResult {
  readonly flows: number;
  readonly failed: number;
  readonly seconds: number;
  /** Scheduled start (closed loop: start) to the first byte of the answer. */
  readonly latencyUs: LatencySummary;
}

export interface BulkResult {
  readonly bytes: number;
  readonly seconds: number;
}

/** What the load agent says when an order is done. */
export type LoadReport =
  | { readonly type: 'flows'; readonly result: FlowsResult }
  | { readonly type: 'bulk'; readonly result: BulkResult }
  | { readonly type: 'probed'; readonly isAnswered: boolean }
  | { readonly type: 'released' }
  | { readonly type: 'failed'; readonly message: string };
