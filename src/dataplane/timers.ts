/** A pending call. Both verbs may be used in any state; after firing or `cancel`, `refresh` does nothing. */
export interface Timer {
  /** Starts the full delay again from now. */
  refresh(): void;
  cancel(): void;
}

export interface Timers {
  /** Calls `fire` once, `delayMs` from now or a little later. */
  after(delayMs: number, fire: () => void): Timer;
}

/**
 * Timers for a loop that owns its thread. Timers of one delay expire in the order they were set, so each delay has
 * one linked queue: setting, refreshing and cancelling cost a few pointer writes, which lets every chunk of a relayed
 * flow refresh its idle timer. A data plane uses a handful of distinct delays.
 */
export class TimerQueue implements Timers {
  readonly #queues = new Map<number, Queue>();
  readonly #now: () => number;

  /** `now` is monotonic, in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  after(delayMs: number, fire: () => void): Timer {
    let queue = this.#queues.get(delayMs);
    if (queue === undefined) {
      queue = new Queue(delayMs, this.#now);
      this.#queues.set(delayMs, queue);
    }
    return queue.add(fire);
  }

  /** Milliseconds until the next timer is due: 0 when one is overdue, -1 when none is set. */
  untilNextMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const queue of this.#queues.values()) next = Math.min(next, queue.nextDueMs());
    return next === Number.POSITIVE_INFINITY ? -1 : Math.max(0, Math.ceil(next - this.#now()));
  }

  /** Fires everything that is due, or was at a moment that is given. */
  fireDue(now = this.#now()): void {
    for (const queue of this.#queues.values()) queue.fireDue(now);
  }
}

class Queue {
  readonly delayMs: number;
  readonly now: () => number;
  head: QueuedTimer | null = null;
  tail: QueuedTimer | null = null;

  constructor(delayMs: number, now: () => number) {
    this.delayMs = delayMs;
    this.now = now;
  }

  add(fire: () => void): QueuedTimer {
    const timer = new QueuedTimer(this, fire);
    this.append(timer);
    return timer;
  }

  nextDueMs(): number {
    return this.head === null ? Number.POSITIVE_INFINITY : this.head.dueMs;
  }

  fireDue(nowMs: number): void {
    while (this.head !== null && this.head.dueMs <= nowMs) {
      const timer = this.head;
      this.unlink(timer);
      timer.fire();
    }
  }

  append(timer: QueuedTimer): void {
    timer.dueMs = this.now() + this.delayMs;
    timer.linked = true;
    timer.previous = this.tail;
    timer.next = null;
    if (this.tail === null) this.head = timer;
    else this.tail.next = timer;
    this.tail = timer;
  }

  unlink(timer: QueuedTimer): void {
    if (timer.previous === null) this.head = timer.next;
    else timer.previous.next = timer.next;
    if (timer.next === null) this.tail = timer.previous;
    else timer.next.previous = timer.previous;
    timer.previous = null;
    timer.next = null;
    timer.linked = false;
  }
}

class QueuedTimer implements Timer {
  readonly #queue: Queue;
  readonly fire: () => void;
  dueMs = 0;
  linked = false;
  previous: QueuedTimer | null = null;
  next: QueuedTimer | null = null;

  constructor(queue: Queue, fire: () => void) {
    this.#queue = queue;
    this.fire = fire;
  }

  refresh(): void {
    if (!this.linked) return;
    this.#queue.unlink(this);
    this.#queue.append(this);
  }

  cancel(): void {
    if (this.linked) this.#queue.unlink(this);
  }
}

/**
 * The same over the ordinary event loop. What is due fires after whatever has arrived was read: when the thread stood
 * still, timers come first in a turn of the loop, and would be for bytes that are there.
 */
export const nodeTimers: Timers = {
  after: (delayMs, fire) => new NodeTimer(delayMs, fire),
};

class NodeTimer implements Timer {
  readonly #fire: () => void;
  readonly #timeout: NodeJS.Timeout;
  #due: NodeJS.Immediate | null = null;
  #isSet = true;

  constructor(delayMs: number, fire: () => void) {
    this.#fire = fire;
    this.#timeout = setTimeout(() => {
      this.#due = setImmediate(() => this.#expire());
    }, delayMs);
  }

  refresh(): void {
    // Node's own refresh would set a fired timer again.
    if (!this.#isSet) return;
    this.#notDue();
    this.#timeout.refresh();
  }

  cancel(): void {
    this.#isSet = false;
    this.#notDue();
    clearTimeout(this.#timeout);
  }

  #expire(): void {
    this.#due = null;
    this.#isSet = false;
    this.#fire();
  }

  #notDue(): void {
    if (this.#due !== null) clearImmediate(this.#due);
    this.#due = null;
  }
}
