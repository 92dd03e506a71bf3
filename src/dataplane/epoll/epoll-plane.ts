import { getSystemErrorName } from 'node:util';
import { Worker } from 'node:worker_threads';
import type { Policy } from '../../policy/policy.ts';
import type { TcpAddresses } from '../../policy/tcp-addresses.ts';
import { Counters } from '../counters.ts';
import {
  type DataPlane,
  type DataPlaneOptions,
  ListenError,
  type ListenerAddress,
  listenFailure,
} from '../data-plane.ts';
import { newRunId } from '../flow-id.ts';
import { affordableFlows } from '../flow-limit.ts';
import type { Listener } from '../listener.ts';
import type { FlowReporter } from '../reporting.ts';
import { SourceCounts } from '../source-counts.ts';
import type { Endpoint, RelayedBytes } from '../wire.ts';
import { type Libc, loadFfi, openEventFd, SystemCallError } from './libc.ts';
import { MainFlows } from './main-flows.ts';
import { type FromWorker, type ToWorker, toPlain, type WorkerSetup } from './messages.ts';
import { localAddress, openListener } from './sockets.ts';

/** Flows leave little that lives on, so a small young generation collects as fast as a large one. */
const YOUNG_GENERATION_MB = 12;
/** A worker that has been told to end and does not is terminated. */
const STOP_GRACE_MS = 2_000;

/** `R` is what the workers' observers report. */
export interface EpollPlaneOptions<R> extends DataPlaneOptions {
  /** Threads. */
  readonly workers: number;
  /** The program of a worker thread: it runs a WorkerLoop with the setup that it finds in `workerData.setup`. */
  readonly program: URL;
  /** What the program finds in `workerData.settings`. Plain data. */
  readonly programSettings: unknown;
  /** Observes the flows that the main thread serves. */
  readonly reporter: FlowReporter<R>;
  readonly onReport: (report: R) => void;
  /** A worker has died: the data plane no longer serves. */
  readonly onFatal: (error: Error) => void;
}

/** Starts the data plane of Linux: worker threads over raw system calls. Throws ListenError, or when there is no FFI. */
export async function startEpollPlane<R>(options: EpollPlaneOptions<R>): Promise<DataPlane> {
  const { libc } = loadFfi();
  const plane = new EpollPlane(libc, options);
  await plane.serving();
  return plane;
}

class EpollPlane<R> implements DataPlane {
  readonly kind = 'epoll';
  readonly workers: number;
  readonly flowLimit: number;
  readonly listening: readonly { name: string; address: Endpoint }[];
  readonly #counters: Counters;
  readonly #threads: Thread<R>[] = [];
  readonly #main: MainFlows<R>;

  constructor(libc: Libc, options: EpollPlaneOptions<R>) {
    this.workers = options.workers;
    this.flowLimit = options.flowLimit === 'auto' ? affordableFlows() : options.flowLimit;
    this.#counters = Counters.create(options.workers + 1, options.listeners.length);
    const sockets = bindAll(libc, options);
    this.listening = sockets.map(({ name, address }) => ({ name, address }));
    const sources = new SourceCounts();
    const shared = {
      settings: options.settings,
      flowLimit: this.flowLimit,
      flowsPerSource: options.flowsPerSource,
      guard: options.guard,
      ownListeners: [...this.listening.map(({ address }) => address), ...options.ownAddresses].map(
        ({ ip, port }) => ({ ip: ip.toString(), port }),
      ),
      policy: options.policy.buffer,
      counters: this.#counters.buffer,
      sources: sources.buffer,
    };
    const stop = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    process.once('exit', () => {
      // The process waits for its threads, and a thread inside epoll_wait cannot be interrupted.
      Atomics.store(new Int32Array(stop), 0, 1);
      for (const thread of this.#threads) thread.wake();
    });
    const run = newRunId();
    this.#main = new MainFlows(libc, options, {
      counters: this.#counters,
      own: this.#counters.worker(options.workers),
      sources,
      flowLimit: this.flowLimit,
      ownListeners: shared.ownListeners,
      flowIdPrefix: `${run}${options.workers.toString(36)}-`,
    });
    for (let index = 0; index < options.workers; index++) {
      const listeners = options.listeners.map(({ listener }, i) => ({
        listener,
        fd: sockets[i]?.fds[index] ?? -1,
      }));
      const wakeFd = openEventFd(libc);
      this.#threads.push(
        new Thread(libc, options, this.#main, {
          ...shared,
          index,
          listeners,
          wakeFd,
          stop,
          flowIdPrefix: `${run}${index.toString(36)}-`,
        }),
      );
    }
  }

  /** Resolves when every worker accepts. */
  async serving(): Promise<void> {
    await Promise.all(this.#threads.map(thread => thread.serving));
  }

  setPolicy(policy: Policy): void {
    for (const thread of this.#threads) thread.tell({ type: 'policy', buffer: policy.buffer });
    this.#main.setPolicy(policy);
  }

  setTcpAddresses(addresses: TcpAddresses): void {
    for (const thread of this.#threads) thread.tell({ type: 'tcpAddresses', buffer: addresses.buffer });
    this.#main.setTcpAddresses(addresses);
  }

  openFlows(listener: string): number {
    return this.#counters.openFlows(this.listening.findIndex(({ name }) => name === listener));
  }

  bytes(): RelayedBytes {
    return this.#counters.bytes();
  }

  async drain(timeoutMs: number): Promise<void> {
    const tellAll = (type: 'drain' | 'abandon') => {
      for (const thread of this.#threads) thread.tell({ type });
    };
    tellAll('drain');
    this.#main.drain();
    const abandon = setTimeout(() => {
      tellAll('abandon');
      this.#main.abandonAll();
    }, timeoutMs);
    const terminate = setTimeout(() => {
      for (const thread of this.#threads) thread.terminate();
    }, timeoutMs + STOP_GRACE_MS);
    await Promise.all(this.#threads.map(thread => thread.exited));
    clearTimeout(abandon);
    clearTimeout(terminate);
    this.#main.finish();
  }
}

/** The main thread's end of one worker. */
class Thread<R> {
  /** Resolves once the thread accepts; never when it dies before, which `onFatal` hears. */
  readonly serving: Promise<void>;
  readonly exited: Promise<unknown>;
  readonly #libc: Libc;
  readonly #options: EpollPlaneOptions<R>;
  readonly #main: MainFlows<R>;
  readonly #wakeFd: number;
  readonly #worker: Worker;
  readonly #one = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
  #drained = false;
  #isServing: () => void = () => {};

  constructor(libc: Libc, options: EpollPlaneOptions<R>, main: MainFlows<R>, setup: WorkerSetup) {
    this.#libc = libc;
    this.#main = main;
    this.#options = options;
    this.#wakeFd = setup.wakeFd;
    this.#worker = new Worker(options.program, {
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
      workerData: { setup, settings: options.programSettings },
      name: `sallyport-${setup.index}`,
    });
    this.serving = new Promise(resolve => {
      this.#isServing = resolve;
    });
    this.exited = new Promise(resolve => {
      this.#worker.once('exit', code => {
        if (!this.#drained)
          options.onFatal(new Error(`data plane worker ${setup.index} exited with ${code}`));
        resolve(code);
      });
    });
    this.#worker.on('error', error => options.onFatal(error));
    this.#worker.on('message', (message: FromWorker<R>) => this.#heard(message));
  }

  tell(message: ToWorker): void {
    this.#worker.postMessage(message);
    this.wake();
  }

  /** Ends the thread wherever it is; woken, because a thread inside a system call cannot be interrupted. */
  terminate(): void {
    this.#drained = true;
    void this.#worker.terminate();
    this.wake();
  }

  /** Makes the thread look at its messages and its stop flag. */
  wake(): void {
    this.#libc.write(this.#wakeFd, this.#one, this.#one.length);
  }

  #heard(message: FromWorker<R>): void {
    const { onReport, resolver } = this.#options;
    switch (message.type) {
      case 'serving':
        return this.#isServing();
      case 'report':
        return onReport(message.report);
      case 'resolve':
        return resolver.resolve(message.hostname, resolution =>
          this.tell({ type: 'resolved', id: message.id, resolution: toPlain(resolution) }),
        );
      case 'http':
        return this.#main.serve(message.connection, () => this.tell({ type: 'http-over', id: message.id }));
      case 'drained':
        this.#drained = true;
        return;
      default:
        message satisfies never;
    }
  }
}

interface BoundListener {
  readonly name: string;
  readonly address: Endpoint;
  /** One socket a worker, all on the same address. */
  readonly fds: readonly number[];
}

/** Binds every listener once for each worker. Throws ListenError and leaves nothing bound. */
function bindAll(
  libc: Libc,
  { listeners, workers }: { listeners: readonly ListenerAddress[]; workers: number },
): BoundListener[] {
  const opened: number[] = [];
  try {
    return listeners.map(({ listener, address }) => {
      const fds: number[] = [];
      let bound = address;
      for (let i = 0; i < workers; i++) {
        const fd = listenOrExplain(libc, listener, bound);
        opened.push(fd);
        fds.push(fd);
        bound = localAddress(libc, fd);
      }
      return { name: listener.name, address: bound, fds };
    });
  } catch (error) {
    for (const fd of opened) libc.close(fd);
    throw error;
  }
}

function listenOrExplain(libc: Libc, listener: Listener, { ip, port }: Endpoint): number {
  const isTproxy = listener.kind === 'transparent' && listener.intercept === 'tproxy';
  try {
    return openListener(libc, ip, port, isTproxy);
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
    throw new ListenError(
      listenFailure(`listener ${listener.name}`, { ip, port }, getSystemErrorName(-error.errno)),
      {
        cause: error,
      },
    );
  }
}
