import type { CloseEvent, DecisionEvent, FlowObserver } from './events.ts';
import type { Timer, Timers } from './timers.ts';

/** A report costs as much as a flow does outside the kernel: the flows of some milliseconds share one. */
const REPORT_MS = 20;

/** Observes flows, and hands out what it has to say since it was last asked. `R` is plain data. */
export interface FlowReporter<R> extends FlowObserver {
  /** It has enough to say that it should be asked at once. */
  readonly isFull: boolean;
  take(): R;
}

/** Sends a reporter's reports on, a moment after there is something to say. */
export class Reporting<R> implements FlowObserver {
  readonly #reporter: FlowReporter<R>;
  readonly #timers: Timers;
  readonly #send: (report: R) => void;
  #timer: Timer | null = null;

  constructor(reporter: FlowReporter<R>, timers: Timers, send: (report: R) => void) {
    this.#reporter = reporter;
    this.#timers = timers;
    this.#send = send;
  }

  decided(event: DecisionEvent): void {
    this.#reporter.decided(event);
    this.#sendSoon();
  }

  closed(event: CloseEvent): void {
    this.#reporter.closed(event);
    this.#sendSoon();
  }

  /** Sends what there is now. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#send(this.#reporter.take());
  }

  #sendSoon(): void {
    if (this.#reporter.isFull) return this.flush();
    this.#timer ??= this.#timers.after(REPORT_MS, () => this.flush());
  }
}
