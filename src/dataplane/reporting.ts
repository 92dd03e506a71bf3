import type { CloseEvent, DecisionEvent, FlowObserver, Saying } from './events.ts';
import type { Timer, Timers } from './timers.ts';

/**
 * The flows of so long share a report: each wakes the main thread, which on a machine with few cores takes the core from
 * a worker with flows at hand.
 */
const REPORT_MS = 100;
/** What is kept back is looked through so often. */
const HOLDING_MS = 1_000;

/** Observes flows, and hands out what it has to say since it was last asked. `R` is plain data. */
export interface FlowReporter<R> extends FlowObserver {
  /** It has enough to say that it should be asked at once. */
  readonly isFull: boolean;
  /** It keeps something back, and must be asked again in a while although nothing happens. */
  readonly isHolding: boolean;
  take(): R;
  /** The same at the end: nothing is kept back. */
  takeAll(): R;
}

/** Sends a reporter's reports on, a moment after there is something to say. */
export class Reporting<R> implements FlowObserver {
  readonly #reporter: FlowReporter<R>;
  readonly #timers: Timers;
  readonly #send: (report: R) => void;
  #timer: Timer | null = null;
  /** The timer runs for something that has just happened. */
  #isSoon = false;

  constructor(reporter: FlowReporter<R>, timers: Timers, send: (report: R) => void) {
    this.#reporter = reporter;
    this.#timers = timers;
    this.#send = send;
  }

  decided(event: DecisionEvent): Saying {
    const saying = this.#reporter.decided(event);
    this.#sendSoon();
    return saying;
  }

  closed(event: CloseEvent): void {
    this.#reporter.closed(event);
    this.#sendSoon();
  }

  /** Sends all there is, at the end. */
  finish(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#send(this.#reporter.takeAll());
  }

  #flush(): void {
    this.#timer?.cancel();
    this.#isSoon = false;
    this.#send(this.#reporter.take());
    this.#timer = this.#reporter.isHolding ? this.#timers.after(HOLDING_MS, () => this.#flush()) : null;
  }

  #sendSoon(): void {
    if (this.#reporter.isFull) return this.#flush();
    if (this.#isSoon) return;
    this.#isSoon = true;
    this.#timer?.cancel();
    this.#timer = this.#timers.after(REPORT_MS, () => this.#flush());
  }
}
