import type { CloseEvent, DecisionEvent, FlowObserver } from '../dataplane/events.ts';
import { type FlowLineReport, FlowLines } from './flow-lines.ts';
import { FlowTally, type Tally } from './flow-tally.ts';
import type { LogFormat } from './log.ts';

/** What flows did since the last report: the log lines that say it, and the sums. Plain data. */
export interface Report extends FlowLineReport {
  readonly tally: Tally;
}

/** What a reporter has to know. Plain data. */
export interface ReporterSettings {
  readonly format: LogFormat;
  readonly gateway: string;
  /** Whether the log level lets flow records through. */
  readonly saysFlows: boolean;
}

const NO_LINES: FlowLineReport = { lines: [], lost: 0 };

/** Observes the flows of one thread and turns them into reports for the main thread's `Collector`. */
export class Reporter implements FlowObserver {
  readonly #lines: FlowLines | null;
  readonly #tally = new FlowTally();

  constructor(settings: ReporterSettings) {
    this.#lines = settings.saysFlows ? new FlowLines(settings) : null;
  }

  get isFull(): boolean {
    return this.#lines?.isFull ?? false;
  }

  decided(event: DecisionEvent): void {
    this.#lines?.decided(event);
    this.#tally.decided(event);
  }

  closed(event: CloseEvent): void {
    this.#lines?.closed(event);
    this.#tally.closed(event);
  }

  take(): Report {
    const { lines, lost } = this.#lines?.take() ?? NO_LINES;
    return { lines, lost, tally: this.#tally.take() };
  }
}
