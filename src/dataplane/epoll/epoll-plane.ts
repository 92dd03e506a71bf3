import type { Policy } from '../../policy/policy.ts';
import { TcpAddresses } from '../../policy/tcp-addresses.ts';
import { Counters } from '../counters.ts';
import type { DataPlane, DataPlaneOptions } from '../data-plane.ts';
import { affordableFlows } from '../descriptors.ts';
import { newRunId } from '../flow-id.ts';
import type { FlowReporter } from '../reporting.ts';
import { SourceCounts } from '../source-counts.ts';
import type { Endpoint, RelayedBytes } from '../wire.ts';
import { bindListeners } from './bound-listeners.ts';
import { type Libc, loadFfi, openEventFd } from './libc.ts';
import { MainFlows } from './main-flows.ts';
import { collectOwnGarbage } from './own-garbage.ts';
import { type KeptWorkerOptions, WorkerKeeper } from './worker-keeper.ts';

/** A worker that has been told to end and does not is terminated. */
const STOP_GRACE_MS = 2_000;

/** `R` is what the workers' observers report. */
export interface EpollPlaneOptions<R> extends DataPlaneOptions, KeptWorkerOptions<R> {
  /** Threads. */
  readonly workers: number;
  /** Observes the flows that the main thread serves. */
  readonly reporter: FlowReporter<R>;
}

/** Starts the data plane of Linux: worker threads over raw system calls. Throws ListenError, or when there is no FFI. */
export async function startEpollPlane<R>(options: EpollPlaneOptions<R>): Promise<DataPlane> {
  const { libc } = loadFfi();
  collectOwnGarbage();
  const plane = new EpollPlane(libc, options);
  await plane.serving();
  return plane;
}

class EpollPlane<R> implements DataPlane {
  readonly kind = 'epoll';
  readonly workers: number;
  readonly flowLimit: number;
  readonly listening: readonly { name: string; address: Endpoint }[];
  readonly descriptors: readonly number[];
  readonly #counters: Counters;
  readonly #keepers: readonly WorkerKeeper<R>[];
  readonly #main: MainFlows<R>;
  #policy: Policy;
  #tcpAddresses: TcpAddresses = TcpAddresses.none();

  constructor(libc: Libc, options: EpollPlaneOptions<R>) {
    this.workers = options.workers;
    this.flowLimit = options.flowLimit === 'auto' ? affordableFlows() : options.flowLimit;
    this.#policy = options.policy;
    // One part more, for the main thread.
    const threads = options.workers + 1;
    const counters = Counters.create(threads, options.listeners.length);
    const sources = SourceCounts.create(threads);
    const awaited = SourceCounts.create(threads);
    this.#counters = counters;
    const bound = bindListeners(libc, options);
    this.descriptors = bound.flatMap(({ workers }) => workers.flat());
    this.listening = bound.map(({ listener, address }) => ({ name: listener.name, address }));
    const stop = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    const shared = {
      settings: options.settings,
      flowLimit: this.flowLimit,
      flowsPerSource: options.flowsPerSource,
      guard: options.guard,
      ownListeners: [...this.listening.map(({ address }) => address), ...options.ownAddresses].map(
        ({ ip, port }) => ({ ip: ip.toString(), port }),
      ),
      counters: counters.buffer,
      sources: sources.buffer,
      threads,
      stop,
      openings: options.openings,
      awaited: awaited.buffer,
    };
    this.#main = new MainFlows(libc, options, {
      counters,
      own: counters.worker(options.workers),
      sources: sources.worker(options.workers),
      awaited: awaited.worker(options.workers),
      flowLimit: this.flowLimit,
      ownListeners: shared.ownListeners,
      flowIdPrefix: `${newRunId()}-`,
    });
    this.#keepers = Array.from({ length: options.workers }, (_, index) => {
      const listeners = bound.map(({ listener, areKept, workers }) => ({
        listener,
        fds: workers[index] ?? [],
        areKept,
      }));
      const wakeFd = openEventFd(libc);
      return new WorkerKeeper(options, {
        index,
        wakeFd,
        listeningFds: listeners.flatMap(({ fds }) => fds),
        libc,
        main: this.#main,
        counters,
        tables: [sources, awaited],
        onDescriptors: shed =>
          options.onDescriptors({ isPaused: this.#keepers.some(({ isPaused }) => isPaused), shed }),
        setup: descriptors => ({
          ...shared,
          index,
          listeners,
          wakeFd,
          descriptors,
          policy: this.#policy.buffer,
          tcpAddresses: this.#tcpAddresses.buffer,
          flowIdPrefix: `${newRunId()}-`,
        }),
      });
    });
    process.once('exit', () => {
      // The process waits for its threads, and a thread inside epoll_wait cannot be interrupted.
      Atomics.store(new Int32Array(stop), 0, 1);
      for (const keeper of this.#keepers) keeper.wake();
    });
  }

  /** Resolves when every worker accepts. */
  async serving(): Promise<void> {
    await Promise.all(this.#keepers.map(keeper => keeper.serving));
  }

  get servingWorkers(): number {
    return this.#keepers.filter(({ isServing }) => isServing).length;
  }

  setPolicy(policy: Policy): void {
    this.#policy = policy;
    for (const keeper of this.#keepers) keeper.tell({ type: 'policy', buffer: policy.buffer });
    this.#main.setPolicy(policy);
  }

  setTcpAddresses(addresses: TcpAddresses): void {
    this.#tcpAddresses = addresses;
    for (const keeper of this.#keepers) keeper.tell({ type: 'tcpAddresses', buffer: addresses.buffer });
    this.#main.setTcpAddresses(addresses);
  }

  get undecidedFlows(): number {
    return this.#counters.allAwaited();
  }

  openFlows(listener: string): number {
    return this.#counters.openFlows(this.listening.findIndex(({ name }) => name === listener));
  }

  bytes(): RelayedBytes {
    return this.#counters.bytes();
  }

  async drain(timeoutMs: number, hasSuccessor: boolean): Promise<number> {
    for (const keeper of this.#keepers) keeper.drain(hasSuccessor);
    this.#main.drain();
    let cut = 0;
    const abandon = setTimeout(() => {
      cut = this.#counters.allOpenFlows();
      for (const keeper of this.#keepers) keeper.tell({ type: 'abandon' });
      this.#main.abandonAll();
    }, timeoutMs);
    const terminate = setTimeout(() => {
      for (const keeper of this.#keepers) keeper.terminate();
    }, timeoutMs + STOP_GRACE_MS);
    await Promise.all(this.#keepers.map(keeper => keeper.ended));
    clearTimeout(abandon);
    clearTimeout(terminate);
    this.#main.finish();
    return cut;
  }
}
