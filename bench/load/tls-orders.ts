import type { LatencySummary } from './latencies.ts';
import type { Target } from './orders.ts';

/** Real TLS 1.3 handshakes, each with a request and an answer of 1 KiB behind it, so many at a time. */
export interface TlsOrder {
  readonly target: Target;
  readonly flows: number;
  readonly concurrency: number;
  /** Every handshake resumes a session; false: every one is a full handshake. */
  readonly resume: boolean;
}

export interface TlsResult {
  readonly flows: number;
  readonly seconds: number;
  /** Start to the end of the handshake, as the client sees it. */
  readonly handshakeUs: LatencySummary;
}

export type TlsReport =
  | { readonly type: 'done'; readonly result: TlsResult }
  | { readonly type: 'failed'; readonly message: string };
