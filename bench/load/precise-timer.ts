import { createRequire } from 'node:module';
import type { EventHandler, EventLoop } from '../../src/dataplane/epoll/loop.ts';

const CLOCK_MONOTONIC = 1;
/** TFD_NONBLOCK | TFD_CLOEXEC. */
const FLAGS = 0o2004000;

/** A timer of microseconds in an event loop, whose own timers count milliseconds: a timerfd. */
export class PreciseTimer implements EventHandler {
  readonly #loop: EventLoop;
  readonly #fire: () => void;
  readonly #fd: number;
  readonly #setTime: (fd: number, flags: number, value: BigInt64Array, old: null) => number;
  /** `struct itimerspec`: interval, then the first expiry, each as seconds and nanoseconds. */
  readonly #spec = new BigInt64Array(4);
  readonly #expiries = Buffer.alloc(8);

  constructor(loop: EventLoop, fire: () => void) {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const c = koffi.load(null);
    this.#setTime = c.func('int timerfd_settime(int, int, int64_t *, int64_t *)');
    this.#loop = loop;
    this.#fire = fire;
    this.#fd = c.func('int timerfd_create(int, int)')(CLOCK_MONOTONIC, FLAGS);
    loop.watchReadable(this.#fd, this);
  }

  /** Fires once, `delayMs` (at least a microsecond) from now. */
  after(delayMs: number): void {
    const ns = BigInt(Math.max(1000, Math.round(delayMs * 1e6)));
    this.#spec[2] = ns / 1_000_000_000n;
    this.#spec[3] = ns % 1_000_000_000n;
    this.#setTime(this.#fd, 0, this.#spec, null);
  }

  ready(): void {
    this.#loop.ffi.libc.read(this.#fd, this.#expiries, this.#expiries.length);
    this.#fire();
  }

  close(): void {
    this.#loop.close(this.#fd);
  }
}
