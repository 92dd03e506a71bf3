import { IpAddress } from '../../policy/address.ts';
import type { Hostname } from '../../policy/hostname.ts';
import type { GuardVerdict, Resolution, ResolveFailure } from '../../resolve/resolver.ts';
import type { RelaySettings } from '../data-plane.ts';
import type { DescriptorReport } from '../descriptors.ts';
import type { PlainEndpoint, PlainExceptions } from '../guard.ts';
import type { Listener } from '../listener.ts';
import type { OpeningLimits } from '../openings.ts';
import type { Client, Endpoint } from '../wire.ts';
import type { FlowSettings } from '../world.ts';

export interface WorkerListener {
  readonly listener: Listener;
  /** The worker's own descriptors; others may hold the same sockets. */
  readonly fds: readonly number[];
  /** See InheritedSockets. */
  readonly areKept: boolean;
}

/** What a worker is born with. Everything in it is static for the worker's life but the policy and the addresses. */
export interface WorkerSetup {
  readonly index: number;
  readonly listeners: readonly WorkerListener[];
  readonly settings: FlowSettings & RelaySettings;
  readonly flowLimit: number;
  readonly flowsPerSource: number;
  readonly guard: PlainExceptions;
  readonly ownListeners: readonly PlainEndpoint[];
  readonly policy: SharedArrayBuffer;
  /** For `TcpAddresses.from`. */
  readonly tcpAddresses: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
  readonly sources: SharedArrayBuffer;
  readonly openings: OpeningLimits;
  /** For SourceCounts: connections whose opening is awaited. */
  readonly awaited: SharedArrayBuffer;
  /** How many threads have a part in `sources` and `awaited`. */
  readonly threads: number;
  /** For `FdLedger`: what the worker has open. */
  readonly descriptors: SharedArrayBuffer;
  /** The eventfd that wakes the worker's loop when a message waits. */
  readonly wakeFd: number;
  /** One int32: other than 0, the process is ending and the loop must return. */
  readonly stop: SharedArrayBuffer;
  readonly flowIdPrefix: string;
}

export type ToWorker =
  | { readonly type: 'policy'; readonly buffer: SharedArrayBuffer }
  /** For `TcpAddresses.from`. */
  | { readonly type: 'tcpAddresses'; readonly buffer: SharedArrayBuffer }
  | { readonly type: 'resolved'; readonly id: number; readonly resolution: PlainResolution }
  /** A flow that was handed over is over. */
  | { readonly type: 'http-over'; readonly id: number }
  /** Accept no more; answer `drained` when the last flow has ended. `hasSuccessor`: one that has our listening sockets. */
  | { readonly type: 'drain'; readonly hasSuccessor: boolean }
  /** After `drain`: end all flows now. */
  | { readonly type: 'abandon' };

/** `R` is what the worker's observer reports: plain data that this layer only carries. */
export type FromWorker<R> =
  /** The first message: the loop is set up and accepts. */
  | { readonly type: 'serving' }
  | { readonly type: 'report'; readonly report: R }
  | {
      readonly type: 'resolve';
      readonly id: number;
      readonly hostname: Hostname;
      /** Who asks; null: the worker itself. */
      readonly source: PlainAddress['words'] | null;
    }
  /** The client speaks plain HTTP: the main thread's from now on. It answers `http-over`. */
  | { readonly type: 'http'; readonly id: number; readonly connection: PlainConnection }
  | { readonly type: 'descriptors'; readonly report: DescriptorReport }
  | { readonly type: 'drained' };

/** A client's connection without class instances. */
export interface PlainConnection {
  /** Open and in no epoll set; whoever takes the message closes it. */
  readonly fd: number;
  /** What was read from it already. */
  readonly opening: Uint8Array;
  /** Index of the listener it came in by. */
  readonly listener: number;
  readonly client: PlainClient;
  readonly originalDestination: PlainAddress | null;
}

export interface PlainAddress {
  readonly words: readonly [number, number, number, number];
  readonly port: number;
}

export interface PlainClient extends PlainAddress {
  readonly vpcEndpoint: string | null;
}

export function plainClient(client: Client): PlainClient {
  return { ...plainEndpoint(client), vpcEndpoint: client.vpcEndpoint ?? null };
}

export function clientOf(plain: PlainClient): Client {
  const { vpcEndpoint } = plain;
  return vpcEndpoint === null ? endpointOf(plain) : { ...endpointOf(plain), vpcEndpoint };
}

export function plainEndpoint({ ip, port }: Endpoint): PlainAddress {
  return { words: ip.words, port };
}

export function endpointOf({ words, port }: PlainAddress): Endpoint {
  return { ip: IpAddress.fromWords(...words), port };
}

/** A Resolution without class instances, which structured clone would strip. Each thread has a monotonic clock of its own. */
export type PlainResolution =
  | {
      readonly ok: true;
      readonly addresses: readonly {
        readonly words: readonly [number, number, number, number];
        readonly guard: GuardVerdict;
      }[];
      readonly ttlMs: number;
    }
  | { readonly ok: false; readonly failure: ResolveFailure; readonly ttlMs: number };

/** `nowMs`: on this thread's clock. */
export function toPlain(resolution: Resolution, nowMs: number): PlainResolution {
  const ttlMs = resolution.expiresMs - nowMs;
  if (!resolution.ok) return { ok: false, failure: resolution.failure, ttlMs };
  const addresses = resolution.addresses.map(({ ip, guard }) => ({ words: ip.words, guard }));
  return { ok: true, addresses, ttlMs };
}

/** `nowMs`: on this thread's clock. */
export function fromPlain(plain: PlainResolution, nowMs: number): Resolution {
  const expiresMs = nowMs + plain.ttlMs;
  if (!plain.ok) return { ok: false, failure: plain.failure, expiresMs };
  const addresses = plain.addresses.map(({ words, guard }) => ({ ip: IpAddress.fromWords(...words), guard }));
  return { ok: true, addresses, expiresMs };
}
