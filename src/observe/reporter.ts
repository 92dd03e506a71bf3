import type { CloseEvent, DecisionEvent, Saying } from '../dataplane/events.ts';
import type { FlowReporter } from '../dataplane/reporting.ts';
import { FlowFold, type FoldSettings } from './flow-fold.ts';
import { type FlowLineReport, type FlowLineSettings, FlowLines } from './flow-lines.ts';
import { FlowTally, type Tally } from './flow-tally.ts';

/** What flows did since the last report: the log lines that say it, and the sums. Plain data. */
export interface Report extends FlowLineReport {
  /** Records that were left out because the same had just been said; lines that are said now stand for them. */
  readonly suppressed: number;
  readonly tally: Tally;
}

/** What a reporter has to know. Plain data. */
export interface ReporterSettings extends FlowLineSettings {
  /** Whether the log level lets flow records through. */
  readonly saysFlows: boolean;
  /** Null: every record is written. */
  readonly fold: FoldSettings | null;
}

/** What was folded is looked through so often at most. */
const RELEASE_MS = 500;
const NO_LINES: FlowLineReport = { lines: [], lost: 0 };

/** Observes the flows of one thread and turns them into reports for the main thread's `Collector`. */
export class Reporter implements FlowReporter<Report> {
  readonly #lines: FlowLines | null;
  readonly #fold: FlowFold | null;
  readonly #now: () => number;
  #releasedMs = 0;
  readonly #tally = new FlowTally();

  /** `now`: epoch milliseconds. */
  constructor(settings: ReporterSettings, now = Date.now) {
    this.#lines = settings.saysFlows ? new FlowLines(settings) : null;
    this.#fold =
      this.#lines === null || settings.fold === null ? null : new FlowFold(this.#lines, settings.fold);
    this.#now = now;
  }

  get isFull(): boolean {
    return this.#lines?.isFull ?? false;
  }

  get isHolding(): boolean {
    return this.#fold?.isHolding ?? false;
  }

  decided(event: DecisionEvent): Saying {
    this.#tally.decided(event);
    if (this.#fold !== null) return this.#fold.decided(event);
    this.#lines?.decided(event, 0);
    return 'said';
  }

  closed(event: CloseEvent): void {
    this.#tally.closed(event);
    if (this.#fold !== null) this.#fold.closed(event);
    else this.#lines?.closed(event, 0);
  }

  take(): Report {
    const nowMs = this.#now();
    const isDue = Math.abs(nowMs - this.#releasedMs) >= RELEASE_MS;
    if (isDue) this.#releasedMs = nowMs;
    return this.#report(isDue ? (this.#fold?.release(nowMs, false) ?? 0) : 0);
  }

  takeAll(): Report {
    return this.#report(this.#fold?.release(this.#now(), true) ?? 0);
  }

  #report(suppressed: number): Report {
    const { lines, lost } = this.#lines?.take() ?? NO_LINES;
    return { lines, lost, suppressed, tally: this.#tally.take() };
  }
}
