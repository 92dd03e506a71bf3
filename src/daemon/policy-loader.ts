import { once } from 'node:events';
import { totalmem } from 'node:os';
import { Worker } from 'node:worker_threads';
import { type CompiledLoad, type LoadJob, loadCompiled, loadFailure } from '../config/load-compiled.ts';
import type { PolicyDefaults } from '../config/policy-defaults.ts';
import { policyBytes } from '../config/read-file.ts';
import { ProgramFiles, RESTART_NEEDED } from './program-files.ts';

/** What a loader thread is born with. It answers with a CompiledLoad. */
export interface ThreadJob {
  readonly job: LoadJob;
  /** Of heap at most. */
  readonly heapMb: number;
}

export interface PolicyLoaderOptions {
  /** Values for variables that the policy does not say. */
  readonly defaults?: PolicyDefaults;
  /** The program of the thread. */
  readonly program?: URL;
  readonly heapMb?: number;
  readonly programFiles?: ProgramFiles;
}

/** The loader was closed while it loaded, or before. */
export class LoadCancelled extends Error {
  constructor() {
    super('loading was cancelled: the daemon is ending');
  }
}

/** Up to this size a policy loads in the time that a flow may wait, and faster than a process starts. */
const SMALL_BYTES = 16 * 1024;
/** The same at start, when nothing waits yet. */
const SMALL_FIRST_BYTES = 256 * 1024;
const MIB = 1024 * 1024;

/**
 * Loads policies so that nothing else waits, however large they are: small ones in place, others in a process beside
 * the daemon (see `policy-thread.ts`).
 */
export class PolicyLoader {
  readonly defaults: PolicyDefaults;
  readonly programFiles: ProgramFiles;
  readonly #program: URL;
  readonly #heapMb: number;
  #thread: Worker | null = null;
  #last: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor({
    defaults = {},
    program = new URL('./policy-thread.js', import.meta.url),
    heapMb = affordableHeapMb(),
    programFiles = new ProgramFiles(),
  }: PolicyLoaderOptions = {}) {
    this.defaults = defaults;
    this.programFiles = programFiles;
    this.#program = program;
    this.#heapMb = heapMb;
  }

  /** Loads a policy at start, while nothing is served. As `load`. */
  async loadFirst(path: string): Promise<CompiledLoad> {
    const job = { path, runningSha256: null, defaults: this.defaults };
    return (await policyBytes(path)) <= SMALL_FIRST_BYTES ? loadCompiled(job) : this.load(path, null);
  }

  /** Loads a policy, one after the other. Rejects with LoadCancelled only. */
  load(path: string, runningSha256: string | null): Promise<CompiledLoad> {
    const load = this.#last.then(() => this.#load({ path, runningSha256, defaults: this.defaults }));
    this.#last = load.catch(() => {});
    return load;
  }

  /** Loads nothing from now on, and gives up what is being loaded. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#thread === null) return;
    this.#thread.postMessage('cancel');
    await once(this.#thread, 'exit');
  }

  async #load(job: LoadJob): Promise<CompiledLoad> {
    const bytes = await policyBytes(job.path);
    if (this.#isClosed) throw new LoadCancelled();
    const hasChanged = this.programFiles.haveChanged();
    if (bytes <= SMALL_BYTES) return loadCompiled(job);
    if (hasChanged) return loadFailure(job.path, `cannot be loaded: ${RESTART_NEEDED}`, 'restart sallyport');
    return new Promise((resolve, reject) => {
      const thread = new Worker(this.#program, {
        name: 'sallyport-policy',
        workerData: { job, heapMb: this.#heapMb } satisfies ThreadJob,
      });
      // What a thread says that was told to give up is about its own end.
      const settle = (load: CompiledLoad) => (this.#isClosed ? reject(new LoadCancelled()) : resolve(load));
      let fault = 'it did not say why';
      thread.once('message', settle);
      thread.once('error', error => {
        fault = String(error);
      });
      thread.once('exit', () => {
        if (this.#thread === thread) this.#thread = null;
        if (this.#isClosed) reject(new LoadCancelled());
        else resolve(loadFailure(job.path, `cannot be loaded: the loader ended: ${fault}`, 'load it again'));
      });
      this.#thread = thread;
    });
  }
}

/** Half of what this process may use, a gigabyte at most. */
export function affordableHeapMb(): number {
  const memory = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  return Math.min(1024, Math.floor(memory / 2 / MIB));
}
