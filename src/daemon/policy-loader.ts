import { totalmem } from 'node:os';
import { Worker } from 'node:worker_threads';
import { type CompiledLoad, type LoadJob, loadCompiled } from '../config/load-compiled.ts';
import type { PolicyDefaults } from '../config/policy-defaults.ts';
import { policyBytes } from '../config/read-file.ts';

export interface PolicyLoaderOptions {
  /** Values for variables that the policy does not say. */
  readonly defaults?: PolicyDefaults;
  /** The program of the thread. */
  readonly program?: URL;
  /** The thread's heap at most. */
  readonly heapMb?: number;
  /** How long the thread is kept for another load; starting it takes some 150 ms of a core. */
  readonly keepMs?: number;
}

/** The loader was closed while it loaded, or before. */
export class LoadCancelled extends Error {
  constructor() {
    super('loading was cancelled: the daemon is ending');
  }
}

/** A first policy up to this size loads faster than a thread starts. */
const SMALL_BYTES = 256 * 1024;
const MIB = 1024 * 1024;

/**
 * Loads policies in a thread of its own, so that nothing else waits however large they are: 100 000 rules take a
 * second. The thread ends when it has had nothing to do for a while, and its memory with it.
 */
export class PolicyLoader {
  readonly defaults: PolicyDefaults;
  readonly #program: URL;
  readonly #heapMb: number;
  readonly #keepMs: number;
  #thread: Worker | null = null;
  #last: Promise<unknown> = Promise.resolve();
  #retiring: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor({
    defaults = {},
    program = new URL('./policy-thread.js', import.meta.url),
    heapMb = affordableHeapMb(),
    keepMs = 2_000,
  }: PolicyLoaderOptions = {}) {
    this.defaults = defaults;
    this.#program = program;
    this.#heapMb = heapMb;
    this.#keepMs = keepMs;
  }

  /** Loads a policy at start, while nothing is served: a small one without a thread. */
  async loadFirst(path: string): Promise<CompiledLoad> {
    const job = { path, runningSha256: null, defaults: this.defaults };
    return (await policyBytes(path)) <= SMALL_BYTES ? loadCompiled(job) : this.load(path, null);
  }

  /** Loads a policy, one after the other. Rejects with LoadCancelled only. */
  load(path: string, runningSha256: string | null): Promise<CompiledLoad> {
    const load = this.#last.then(() => this.#ask({ path, runningSha256, defaults: this.defaults }));
    this.#last = load.catch(() => {});
    return load;
  }

  /** Ends the thread, whatever it does. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retiring);
    await this.#thread?.terminate();
  }

  #ask(job: LoadJob): Promise<CompiledLoad> {
    if (this.#isClosed) return Promise.reject(new LoadCancelled());
    clearTimeout(this.#retiring);
    const thread = this.#thread ?? this.#start();
    thread.ref();
    return new Promise((resolve, reject) => {
      let fault: unknown = null;
      const onError = (error: unknown) => {
        fault = error;
      };
      const onExit = () =>
        this.#isClosed ? reject(new LoadCancelled()) : resolve(this.#failure(job.path, fault));
      thread.on('error', onError).on('exit', onExit);
      thread.once('message', (load: CompiledLoad) => {
        thread.off('error', onError).off('exit', onExit);
        this.#retire(thread);
        resolve(load);
      });
      thread.postMessage(job);
    });
  }

  #start(): Worker {
    const thread = new Worker(this.#program, {
      name: 'sallyport-policy',
      resourceLimits: { maxOldGenerationSizeMb: this.#heapMb },
    });
    // Whoever waits for a load hears of an error; without anybody it must not end the process.
    thread.on('error', () => {});
    thread.once('exit', () => {
      if (this.#thread === thread) this.#thread = null;
    });
    this.#thread = thread;
    return thread;
  }

  #retire(thread: Worker): void {
    thread.unref();
    this.#retiring = setTimeout(() => {
      this.#thread = null;
      void thread.terminate();
    }, this.#keepMs).unref();
  }

  #failure(path: string, fault: unknown): CompiledLoad {
    const isTooLarge = fault instanceof Error && 'code' in fault && fault.code === 'ERR_WORKER_OUT_OF_MEMORY';
    const [message, fix] = isTooLarge
      ? [
          `takes more than ${this.#heapMb} MiB of memory to load`,
          'write fewer rules, or give sallyport more memory',
        ]
      : [`cannot be loaded: the loader ended: ${String(fault)}`, 'load it again'];
    return {
      ok: false,
      diagnostics: [{ file: path, line: 1, col: 1, path: '', message, fix, severity: 'error' }],
    };
  }
}

/** Half of what this process may use, a gigabyte at most. */
export function affordableHeapMb(): number {
  const memory = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  return Math.min(1024, Math.floor(memory / 2 / MIB));
}
