import type { IpAddress } from '../policy/address.ts';
import type { DialFailure } from './events.ts';
import type { Timer, Timers } from './timers.ts';

/** RFC 8305 §5: how long the attempt before has the stage to itself. */
const STAGGER_MS = 250;
/** One black-holed address must leave time for the others. */
const PER_ADDRESS_MS = 5_000;

/** One connection attempt under way. `abort` closes it; it calls back no more after that. */
export interface Attempt {
  abort(): void;
}

/** Starts a connection attempt. `settle` is called exactly once unless aborted, never before `connect` returns. */
export type Connect<A extends Attempt> = (
  ip: IpAddress,
  port: number,
  settle: (failure: DialFailure | null) => void,
) => A;

export type DialOutcome<A extends Attempt> =
  | { readonly ok: true; readonly attempt: A; readonly ip: IpAddress }
  | { readonly ok: false; readonly failure: DialFailure };

export interface DialOptions<A extends Attempt> {
  /** In order of preference, not empty. */
  readonly addresses: readonly IpAddress[];
  readonly port: number;
  readonly connect: Connect<A>;
  readonly timers: Timers;
  /** Bounds the whole dial, over all addresses. */
  readonly timeoutMs: number;
  readonly done: (outcome: DialOutcome<A>) => void;
}

/**
 * Dials several addresses as RFC 8305 has it: one after the other, the next as soon as one fails or after 250 ms; the
 * first that connects wins and the others are aborted. `done` is called once, unless the dial is cancelled.
 */
export class Dial<A extends Attempt> {
  readonly #options: DialOptions<A>;
  #pending: Contender<A>[] = [];
  readonly #deadline: Timer | null;
  #stagger: Timer | null = null;
  #next = 0;
  #lastFailure: DialFailure = 'other';
  #over = false;

  constructor(options: DialOptions<A>) {
    this.#options = options;
    // A single address has its own deadline, which is the earlier one.
    this.#deadline =
      options.addresses.length === 1
        ? null
        : options.timers.after(options.timeoutMs, () => this.#fail('timeout'));
    this.#startNext();
  }

  /** Aborts every attempt; `done` will not be called. */
  cancel(): void {
    this.#over = true;
    this.#deadline?.cancel();
    this.#stagger?.cancel();
    for (const contender of this.#pending) contender.abort();
    this.#pending = [];
  }

  #startNext(): void {
    this.#stagger?.cancel();
    const ip = this.#options.addresses[this.#next];
    if (this.#over || ip === undefined) return;
    this.#next++;
    this.#pending = [...this.#pending, new Contender<A>(ip, this.#options, this.#settled)];
    if (this.#next < this.#options.addresses.length) {
      this.#stagger = this.#options.timers.after(STAGGER_MS, () => this.#startNext());
    }
  }

  readonly #settled = (contender: Contender<A>, failure: DialFailure | null): void => {
    this.#pending = this.#pending.filter(other => other !== contender);
    if (failure === null) this.#win(contender);
    else this.#lose(failure);
  };

  #win(winner: Contender<A>): void {
    this.cancel();
    this.#options.done({ ok: true, attempt: winner.attempt, ip: winner.ip });
  }

  #lose(failure: DialFailure): void {
    this.#lastFailure = failure;
    if (this.#next < this.#options.addresses.length) this.#startNext();
    else if (this.#pending.length === 0) this.#fail(this.#lastFailure);
  }

  #fail(failure: DialFailure): void {
    this.cancel();
    this.#options.done({ ok: false, failure });
  }
}

class Contender<A extends Attempt> {
  readonly ip: IpAddress;
  readonly attempt: A;
  readonly #deadline: Timer;

  constructor(
    ip: IpAddress,
    options: DialOptions<A>,
    settled: (contender: Contender<A>, failure: DialFailure | null) => void,
  ) {
    this.ip = ip;
    this.#deadline = options.timers.after(Math.min(PER_ADDRESS_MS, options.timeoutMs), () => {
      this.attempt.abort();
      settled(this, 'timeout');
    });
    this.attempt = options.connect(ip, options.port, failure => {
      this.#deadline.cancel();
      settled(this, failure);
    });
  }

  abort(): void {
    this.#deadline.cancel();
    this.attempt.abort();
  }
}
