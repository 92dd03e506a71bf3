import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Objection } from './refusal.ts';

/** Requests that wait for the one before them until the client is read no further. */
const MAX_WAITING = 16;

/** Bounds the requests that wait over all flows: what one read of a flow holds must be taken in, and that is many. */
export class WaitingRoom {
  readonly #seats: number;
  #taken = 0;

  constructor(seats: number) {
    this.#seats = seats;
  }

  enter(): boolean {
    if (this.#taken >= this.#seats) return false;
    this.#taken++;
    return true;
  }

  leave(): void {
    this.#taken--;
  }
}

/** A request, as node:http has read its head. */
export type NamedItem =
  | { readonly kind: 'request'; readonly request: IncomingMessage; readonly response: ServerResponse }
  /** `head`: what the client has sent behind it. */
  | { readonly kind: 'upgrade'; readonly request: IncomingMessage; readonly head: Uint8Array };

type Item = NamedItem | { readonly kind: 'objection'; readonly objection: Objection };

/** The requests of one client connection that wait for their turn and, last, what ends it. */
export class RequestQueue {
  readonly #room: WaitingRoom;
  #items: Item[] = [];
  #last: IncomingMessage | null = null;
  #isClosed = false;

  constructor(room: WaitingRoom) {
    this.#room = room;
  }

  /** Whether no further request is taken. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  get isFull(): boolean {
    return this.#items.length >= MAX_WAITING;
  }

  /** The request, taken out or not, whose body is still being read. */
  get unfinished(): IncomingMessage | null {
    return this.#last?.complete === false ? this.#last : null;
  }

  /** Returns false when too many wait. After the end of the queue requests are dropped unsaid. */
  add(item: NamedItem): boolean {
    if (this.#isClosed) return true;
    if (!this.#room.enter()) return false;
    this.#last = item.request;
    this.#items.push(item);
    return true;
  }

  /** Lets the objection be the last item. */
  close(objection: Objection): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#items.push({ kind: 'objection', objection });
  }

  next(): Item | null {
    const item = this.#items.shift() ?? null;
    if (item !== null && item.kind !== 'objection') this.#room.leave();
    return item;
  }

  dropLast(): void {
    if (this.#items.pop() !== undefined) this.#room.leave();
  }

  clear(): void {
    this.#isClosed = true;
    while (this.next() !== null);
  }
}
