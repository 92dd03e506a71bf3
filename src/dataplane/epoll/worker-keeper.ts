import type { Counters } from '../counters.ts';
import type { DescriptorReport } from '../descriptors.ts';
import type { SourceCounts } from '../source-counts.ts';
import type { WorkerDeath } from '../worker-death.ts';
import { FdLedger } from './fd-ledger.ts';
import type { Libc } from './libc.ts';
import type { MainFlows } from './main-flows.ts';
import type { ToWorker, WorkerSetup } from './messages.ts';
import { DEATHS_BORNE, restartDelayMs, WINDOW_MS } from './restart-delay.ts';
import { resetOnClose } from './sockets.ts';
import { type WorkerProgram, WorkerThread } from './worker-thread.ts';

export interface KeptWorkerOptions<R> extends WorkerProgram<R> {
  /** Whether `program` is still the one that this process is of. */
  readonly canRestart: () => boolean;
  readonly onWorkerDeath: (death: WorkerDeath) => void;
  /** A worker dies again and again: the data plane is not to be trusted any more. */
  readonly onFatal: (error: Error) => void;
}

/** What outlives a worker's thread. */
export interface KeptWorker<R> {
  readonly index: number;
  readonly wakeFd: number;
  readonly listeningFds: readonly number[];
  readonly libc: Libc;
  readonly main: MainFlows<R>;
  readonly counters: Counters;
  /** All that count this worker's flows by source. */
  readonly tables: readonly SourceCounts[];
  /** Hears that the worker pauses or goes on, or has reset `shed` connections: for want of descriptors. */
  readonly onDescriptors: (shed: number) => void;
  /** Made anew for each thread: the policy of that moment, a flow id prefix of its own. */
  readonly setup: (descriptors: SharedArrayBuffer) => WorkerSetup;
}

/**
 * Keeps one worker running: when its thread dies, closes what it left open, takes its flows out of the shared counts,
 * and starts another on the same listening sockets, in whose queues clients wait meanwhile.
 */
export class WorkerKeeper<R> {
  /** Resolves once the first thread accepts; never when it dies before, which `onFatal` hears. */
  readonly serving: Promise<void>;
  /** Resolves when the worker is drained and nothing of it is left. */
  readonly ended: Promise<void>;
  readonly #options: KeptWorkerOptions<R>;
  readonly #kept: KeptWorker<R>;
  readonly #descriptors = new FdLedger();
  readonly #deaths: number[] = [];
  readonly #one = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
  #thread: WorkerThread<R>;
  #restart: NodeJS.Timeout | null = null;
  #isServing = false;
  #isPaused = false;
  #hasEverServed = false;
  #isDraining = false;
  #hasServed: () => void = () => {};
  #hasEnded: () => void = () => {};

  constructor(options: KeptWorkerOptions<R>, kept: KeptWorker<R>) {
    this.#options = options;
    this.#kept = kept;
    this.serving = new Promise(resolve => {
      this.#hasServed = resolve;
    });
    this.ended = new Promise(resolve => {
      this.#hasEnded = resolve;
    });
    for (const fd of kept.listeningFds) this.#descriptors.add(fd);
    this.#thread = this.#start();
  }

  /** Whether a thread accepts now. */
  get isServing(): boolean {
    return this.#isServing;
  }

  /** Whether connections wait, because nearly all descriptors are in use. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  tell(message: ToWorker): void {
    this.#thread.tell(message);
  }

  /** Accepts no more; `ended` resolves when the last flow has ended. */
  drain(hasSuccessor: boolean): void {
    this.#isDraining = true;
    if (this.#restart === null) return this.tell({ type: 'drain', hasSuccessor });
    clearTimeout(this.#restart);
    this.#restart = null;
    this.#closeLeft(true);
    this.#hasEnded();
  }

  terminate(): void {
    this.#thread.terminate();
  }

  /** Makes the thread look at its messages and its stop flag. */
  wake(): void {
    this.#kept.libc.write(this.#kept.wakeFd, this.#one, this.#one.length);
  }

  #start(): WorkerThread<R> {
    const { main, setup } = this.#kept;
    const thread = new WorkerThread(this.#options, main, setup(this.#descriptors.buffer), {
      wake: () => this.wake(),
      onServing: () => {
        this.#isServing = true;
        this.#hasEverServed = true;
        this.#hasServed();
      },
      onDescriptors: report => this.#heardOfDescriptors(report),
    });
    void thread.ended.then(end => {
      this.#isServing = false;
      if (this.#isPaused) this.#heardOfDescriptors({ isPaused: false, shed: 0 });
      if (end === 'drained') this.#hasEnded();
      else this.#died(end.error);
    });
    return thread;
  }

  #died(error: Error): void {
    const { index, counters, tables, main } = this.#kept;
    const { handedOver } = this.#thread;
    const unrecorded = counters.openFlowsOf(index) - handedOver.size;
    counters.forget(index);
    for (const table of tables) table.forget(index);
    for (const connection of handedOver) main.count(connection);
    this.#deaths.push(performance.now());
    const isLast = this.#isDraining || !this.#hasEverServed || !this.#options.canRestart();
    const restartMs = isLast ? null : restartDelayMs(this.#deaths);
    this.#closeLeft(restartMs === null);
    this.#options.onWorkerDeath({ worker: index, error, unrecorded, restartMs });
    if (restartMs !== null) {
      this.#restart = setTimeout(() => this.#startAgain(), restartMs);
      return;
    }
    this.#hasEnded();
    if (!this.#isDraining) this.#options.onFatal(new Error(`data plane worker ${index} ${this.#whyLast()}`));
  }

  #heardOfDescriptors(report: DescriptorReport): void {
    this.#isPaused = report.isPaused;
    this.#kept.onDescriptors(report.shed);
  }

  #startAgain(): void {
    this.#restart = null;
    this.#thread = this.#start();
  }

  #whyLast(): string {
    if (!this.#hasEverServed) return 'cannot start';
    if (!this.#options.canRestart()) return 'has died, and the program to start another from has changed';
    return `has died ${DEATHS_BORNE} times in ${WINDOW_MS / 1_000} s`;
  }

  /** Ends what a thread left open; connections with a reset, for what was under way is not complete. */
  #closeLeft(withListeners: boolean): void {
    const { libc, listeningFds } = this.#kept;
    for (const fd of this.#descriptors.open()) {
      const isListening = listeningFds.includes(fd);
      if (isListening && !withListeners) continue;
      this.#descriptors.remove(fd);
      if (!isListening) resetOnClose(libc, fd);
      libc.close(fd);
    }
  }
}
