import { type DescriptorReport, descriptorMarks, openDescriptors } from '../descriptors.ts';
import { openEventFd } from './libc.ts';
import type { EventLoop } from './loop.ts';

/** While paused, descriptors are counted so often. */
const LOOK_MS = 100;
/** Clients that are shed at one look of each listener: more wait for the next one, so that a flood costs no more than that. */
const SHED_AT_ONCE = 64;

/** A listener, as far as it can be held up. */
export interface Held {
  pause(): void;
  resume(): void;
  /** Accepts one connection and resets it. False when none could be had. */
  shed(): boolean;
}

/**
 * Keeps a worker from using the process' last descriptors. The kernel gives out the lowest free number, so that of an
 * accepted connection tells how many are in use, whoever uses them, without another call. Above the mark clients wait in
 * the kernel's queue. Where there is none left at all, a spare one lets them be reset instead.
 */
export class DescriptorGuard {
  readonly #loop: EventLoop;
  readonly #limit: number;
  readonly #pauseAt: number;
  readonly #resumeAt: number;
  readonly #tell: (report: DescriptorReport) => void;
  readonly #held: Held[] = [];
  #spare: number;
  #isPaused = false;

  /** `limit`: the process' limit of descriptors. */
  constructor(loop: EventLoop, limit: number, tell: (report: DescriptorReport) => void) {
    const { pauseAt, resumeAt } = descriptorMarks(limit);
    this.#loop = loop;
    this.#limit = limit;
    this.#pauseAt = pauseAt;
    this.#resumeAt = resumeAt;
    this.#tell = tell;
    this.#spare = openEventFd(loop.ffi.libc);
  }

  hold(listener: Held): void {
    this.#held.push(listener);
  }

  /** A connection was accepted as `fd`. */
  accepted(fd: number): void {
    if (fd >= this.#pauseAt) this.#pause(0);
  }

  /** One could not be accepted, for want of descriptors or memory. */
  exhausted(): void {
    this.#pause(this.#shed());
  }

  #pause(shed: number): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    for (const listener of this.#held) listener.pause();
    this.#tell({ isPaused: true, shed });
    this.#lookLater();
  }

  #lookLater(): void {
    this.#loop.timers.after(LOOK_MS, () => this.#look());
  }

  #look(): void {
    const open = openDescriptors();
    if (this.#spare < 0) this.#spare = openEventFd(this.#loop.ffi.libc);
    if (open <= this.#resumeAt) {
      this.#isPaused = false;
      for (const listener of this.#held) listener.resume();
      return this.#tell({ isPaused: false, shed: 0 });
    }
    const shed = open < this.#limit ? 0 : this.#shed();
    if (shed > 0) this.#tell({ isPaused: true, shed });
    this.#lookLater();
  }

  /** Resets some of those who wait, with the descriptor that is kept for it. Returns how many. */
  #shed(): number {
    if (this.#spare < 0) return 0;
    const { libc } = this.#loop.ffi;
    libc.close(this.#spare);
    let shed = 0;
    for (const listener of this.#held) for (let i = 0; i < SHED_AT_ONCE && listener.shed(); i++) shed++;
    this.#spare = openEventFd(libc);
    return shed;
  }
}
