import { performance } from 'node:perf_hooks';
import type { Clock } from '../clock.ts';
import { TimerQueue } from '../timers.ts';
import type { Ffi, PinnedBuffer } from './libc.ts';
import * as c from './libc.ts';
import { SOCKADDR_IN6_BYTES } from './sockets.ts';

/** Edge-triggered, and of the peer's FIN apart. */
const READS = c.EPOLLIN | c.EPOLLRDHUP | c.EPOLLET;
const EVENTS_PER_WAIT = 512;
/** How many events share one reading of the clocks: a millisecond's worth. */
const EVENTS_PER_TICK = 32;
/** A wait that took so much longer than it was to: the thread stood still, before or after its look at what has come. */
const STOOD_STILL_MS = 50;
/** So many turns in a row may put timers off. */
const MAX_LATE_TURNS = 64;
/** One buffer for every read of the thread: what is kept longer than a call is copied out of it. */
const SCRATCH_BYTES = 256 * 1024;

/** Whoever is registered for a descriptor; `events` is the epoll mask. */
export interface EventHandler {
  ready(events: number): void;
}

/**
 * One thread's epoll loop. Descriptors are edge-triggered and registered once; a closed one keeps its number until the
 * batch of events is through, so that an event in hand can never reach a newer descriptor of the same number.
 */
export class EventLoop implements Clock {
  readonly ffi: Ffi;
  readonly scratch: PinnedBuffer;
  /** Room for one socket address, for calls that take one. */
  readonly socketAddress: PinnedBuffer;
  readonly timers: TimerQueue;
  nowMs = performance.now();
  epochMs = Date.now();
  readonly #epfd: number;
  readonly #events: PinnedBuffer;
  readonly #eventInts: Int32Array;
  readonly #request = new Int32Array(c.EPOLL_EVENT_INTS);
  readonly #handlers: (EventHandler | undefined)[] = [];
  #closing: number[] = [];
  #soon: (() => void)[] = [];
  #lateTurns = 0;

  constructor(ffi: Ffi) {
    this.ffi = ffi;
    this.scratch = ffi.pin(SCRATCH_BYTES);
    this.socketAddress = ffi.pin(SOCKADDR_IN6_BYTES);
    this.timers = new TimerQueue(() => this.nowMs);
    this.#epfd = c.openEpoll(ffi.libc);
    if (this.#epfd < 0) throw new c.SystemCallError('epoll_create1', ffi.libc.errno());
    this.#events = ffi.pin(EVENTS_PER_WAIT * c.EPOLL_EVENT_INTS * 4);
    const { buffer, byteOffset } = this.#events.bytes;
    this.#eventInts = new Int32Array(buffer, byteOffset, EVENTS_PER_WAIT * c.EPOLL_EVENT_INTS);
  }

  /** Registers `fd`, edge-triggered for reading, writing and the peer's FIN. */
  watch(fd: number, handler: EventHandler): void {
    this.#register(c.EPOLL_CTL_ADD, fd, READS | c.EPOLLOUT, handler);
  }

  /** The same without writing: a socket that is new can be written to, and most are never full. */
  watchReads(fd: number, handler: EventHandler): void {
    this.#register(c.EPOLL_CTL_ADD, fd, READS, handler);
  }

  /** From now on also for writing, after `watchReads`. */
  watchWrites(fd: number, handler: EventHandler): void {
    this.#register(c.EPOLL_CTL_MOD, fd, READS | c.EPOLLOUT, handler);
  }

  /** Registers a listening socket, level-triggered. Of the loops that watch the same one, an event wakes one or a few. */
  watchShared(fd: number, handler: EventHandler): void {
    this.#register(c.EPOLL_CTL_ADD, fd, c.EPOLLIN | c.EPOLLEXCLUSIVE, handler);
  }

  /** Registers `fd`, level-triggered for reading: the wake-up descriptor. */
  watchReadable(fd: number, handler: EventHandler): void {
    this.#register(c.EPOLL_CTL_ADD, fd, c.EPOLLIN, handler);
  }

  /** Stops events for a descriptor, which stays open. */
  unwatch(fd: number): void {
    this.#handlers[fd] = undefined;
    this.ffi.libc.epollCtl(this.#epfd, c.EPOLL_CTL_DEL, fd, this.#request);
  }

  /** Closes `fd` at the end of this turn; its handler hears nothing more. */
  close(fd: number): void {
    this.#handlers[fd] = undefined;
    this.#closing.push(fd);
  }

  /** Calls `task` at the end of this turn, or of the next one when it is set from such a task. */
  soon(task: () => void): void {
    this.#soon.push(task);
  }

  /** One turn: wait for events, handle them, fire timers, run tasks, close what was closed. */
  turn(): void {
    const timeoutMs = this.#soon.length > 0 ? 0 : this.timers.untilNextMs();
    const awaitedMs = this.nowMs + timeoutMs;
    const count = this.#wait(timeoutMs);
    const ints = this.#eventInts;
    this.#tick();
    const polledMs = this.nowMs;
    const stoodStill = timeoutMs >= 0 && polledMs > awaitedMs + STOOD_STILL_MS;
    for (let i = 0; i < count; i++) {
      if (i % EVENTS_PER_TICK === EVENTS_PER_TICK - 1) this.#tick();
      const at = i * c.EPOLL_EVENT_INTS;
      this.#handlers[ints[at + c.EPOLL_DATA_INT] ?? -1]?.ready(ints[at] ?? 0);
    }
    if (count > 0) this.#tick();
    if (this.#isCaughtUp(stoodStill || count === EVENTS_PER_WAIT)) this.timers.fireDue(polledMs);
    this.#runSoon();
    this.#closeNow();
  }

  /**
   * Whether timers may fire, those that were due when the events of this turn were asked for. After the thread, or the
   * process, stood still, many are due and many events wait: a client that has spoken in time is to be heard before its
   * timer is.
   */
  #isCaughtUp(isLate: boolean): boolean {
    this.#lateTurns = isLate ? this.#lateTurns + 1 : 0;
    return this.#lateTurns % MAX_LATE_TURNS === 0;
  }

  #tick(): void {
    this.nowMs = performance.now();
    this.epochMs = Date.now();
  }

  #register(operation: number, fd: number, events: number, handler: EventHandler): void {
    this.#request[0] = events;
    this.#request[c.EPOLL_DATA_INT] = fd;
    this.#request[c.EPOLL_DATA_INT + 1] = 0;
    this.#handlers[fd] = handler;
    if (this.ffi.libc.epollCtl(this.#epfd, operation, fd, this.#request) < 0) {
      throw new c.SystemCallError('epoll_ctl', this.ffi.libc.errno());
    }
  }

  #wait(timeoutMs: number): number {
    const { libc } = this.ffi;
    const count = libc.epollWait(this.#epfd, this.#events.address, EVENTS_PER_WAIT, timeoutMs);
    if (count >= 0) return count;
    const errno = libc.errno();
    if (errno !== c.EINTR) throw new c.SystemCallError('epoll_wait', errno);
    // Stopped and continued, it returns without a look at what has come meanwhile.
    return this.#wait(0);
  }

  #runSoon(): void {
    if (this.#soon.length === 0) return;
    const tasks = this.#soon;
    this.#soon = [];
    for (const task of tasks) task();
  }

  #closeNow(): void {
    if (this.#closing.length === 0) return;
    for (const fd of this.#closing) this.ffi.libc.close(fd);
    this.#closing = [];
  }
}
