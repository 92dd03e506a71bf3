import { Worker } from 'node:worker_threads';
import { IpAddress } from '../../policy/address.ts';
import type { Resolver } from '../../resolve/resolver.ts';
import type { DescriptorReport } from '../descriptors.ts';
import type { MainFlows } from './main-flows.ts';
import {
  type FromWorker,
  type PlainConnection,
  type ToWorker,
  toPlain,
  type WorkerSetup,
} from './messages.ts';

/** Flows leave little that lives on, so a small young generation collects as fast as a large one. */
const YOUNG_GENERATION_MB = 12;

/** `R` is what the workers' observers report. */
export interface WorkerProgram<R> {
  /** The program of a worker thread: it runs a WorkerLoop with the setup that it finds in `workerData.setup`. */
  readonly program: URL;
  /** What the program finds in `workerData.settings`. Plain data. */
  readonly programSettings: unknown;
  readonly resolver: Resolver;
  readonly onReport: (report: R) => void;
}

/** How a thread ended: `drained`, as it was told; or died of `error`. */
export type ThreadEnd = 'drained' | { readonly error: Error };

/** The main thread's end of one worker thread, from its birth to its death. */
export class WorkerThread<R> {
  /** Connections that it handed over and that are still served. */
  readonly handedOver = new Set<PlainConnection>();
  readonly ended: Promise<ThreadEnd>;
  readonly #program: WorkerProgram<R>;
  readonly #main: MainFlows<R>;
  readonly #wake: () => void;
  readonly #worker: Worker;
  readonly #onServing: () => void;
  readonly #onDescriptors: (report: DescriptorReport) => void;
  #isToEnd = false;
  #hasEnded = false;

  /** `wake` makes the thread look at its messages. `onServing` hears once that it accepts. */
  constructor(
    program: WorkerProgram<R>,
    main: MainFlows<R>,
    setup: WorkerSetup,
    {
      wake,
      onServing,
      onDescriptors,
    }: { wake: () => void; onServing: () => void; onDescriptors: (report: DescriptorReport) => void },
  ) {
    this.#onDescriptors = onDescriptors;
    this.#program = program;
    this.#main = main;
    this.#wake = wake;
    this.#onServing = onServing;
    this.#worker = new Worker(program.program, {
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
      workerData: { setup, settings: program.programSettings },
      name: `sallyport-${setup.index}`,
    });
    let fault: Error | null = null;
    this.#worker.on('error', error => {
      fault ??= error;
    });
    this.#worker.on('message', (message: FromWorker<R>) => this.#heard(message));
    this.ended = new Promise(resolve => {
      // All that it has sent was heard before this.
      this.#worker.once('exit', code => {
        this.#hasEnded = true;
        resolve(this.#isToEnd ? 'drained' : { error: fault ?? new Error(`it exited with ${code}`) });
      });
    });
  }

  tell(message: ToWorker): void {
    this.#worker.postMessage(message);
    this.#wake();
  }

  /** Ends the thread wherever it is; woken, because a thread inside a system call cannot be interrupted. */
  terminate(): void {
    this.#isToEnd = true;
    void this.#worker.terminate();
    this.#wake();
  }

  #heard(message: FromWorker<R>): void {
    const { onReport, resolver } = this.#program;
    switch (message.type) {
      case 'serving':
        return this.#onServing();
      case 'report':
        return onReport(message.report);
      case 'resolve':
        return resolver.resolve(
          message.hostname,
          resolution =>
            this.tell({
              type: 'resolved',
              id: message.id,
              resolution: toPlain(resolution, performance.now()),
            }),
          message.source === null ? undefined : IpAddress.fromWords(...message.source),
        );
      case 'http':
        return this.#serve(message.id, message.connection);
      case 'descriptors':
        return this.#onDescriptors(message.report);
      case 'drained':
        this.#isToEnd = true;
        return;
      default:
        message satisfies never;
    }
  }

  /** The connection is counted by the worker for as long as that lives, then by the main thread. */
  #serve(id: number, connection: PlainConnection): void {
    this.handedOver.add(connection);
    this.#main.serve(connection, () => {
      this.handedOver.delete(connection);
      if (this.#hasEnded) this.#main.uncount(connection);
      else this.tell({ type: 'http-over', id });
    });
  }
}
