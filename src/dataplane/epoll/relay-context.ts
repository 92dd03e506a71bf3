import type { EventLoop } from './loop.ts';
import type { PlainConnection } from './messages.ts';
import type { PipePool } from './pipe-pool.ts';

/** What all flows of a worker share. */
export interface RelayContext {
  readonly loop: EventLoop;
  readonly pipes: PipePool;
  readonly idleTimeoutMs: number;
  readonly halfClosedTimeoutMs: number;
  /** Told what has been relayed, as it moves. */
  readonly moved: (bytesOut: number, bytesIn: number) => void;
  /** Gives a client's descriptor to the main thread, which closes it. Calls `done` when the flow is over. */
  readonly handOver: (connection: PlainConnection, done: () => void) => void;
}
