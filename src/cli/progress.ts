import type { Io } from './io.ts';

const QUIET_MS = 2_000;
const TERMINAL_MS = 200;
const LINES_MS = 10_000;

/** Says how far something has come: nothing in its first two seconds, then in one line, written over on a terminal. */
export class Progress {
  readonly #io: Io;
  readonly #now: () => number;
  readonly #startedMs: number;
  #saidMs = Number.NEGATIVE_INFINITY;

  constructor(io: Io, now: () => number = () => performance.now()) {
    this.#io = io;
    this.#now = now;
    this.#startedMs = now();
  }

  /** `text` is asked for only when it is said. */
  say(text: () => string): void {
    const nowMs = this.#now();
    const every = this.#io.errIsTerminal ? TERMINAL_MS : LINES_MS;
    if (nowMs - this.#startedMs < QUIET_MS || nowMs - this.#saidMs < every) return;
    this.#saidMs = nowMs;
    this.#io.err(this.#io.errIsTerminal ? `\r\u001b[K${text()}` : `${text()}\n`);
  }

  /** Leaves the terminal as it was. */
  end(): void {
    if (this.#io.errIsTerminal && this.#saidMs > 0) this.#io.err('\r\u001b[K');
  }
}
