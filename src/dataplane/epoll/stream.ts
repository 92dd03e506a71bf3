import type { Pipe } from './pipe-pool.ts';
import type { RelayContext } from './relay-context.ts';
import { END_OF_STREAM, FAILED, type Socket } from './socket.ts';

/** Two reads of this size make a bulk flow, for which splice pays. */
const BULK_READ_BYTES = 16 * 1024;
const BULK_READS = 2;

/**
 * What stopped a stream: nothing to read or no room to write; its turn's share is used up; the end has been passed on;
 * the source or the sink failed; the inspector refused the bytes.
 */
export type StreamState = 'waiting' | 'yielding' | 'done' | 'source-failed' | 'sink-failed' | 'cut';

/**
 * Sees bytes before they are sent. Returns what may be sent now (a view of `chunk` or memory of its own), or null when
 * the flow must be cut.
 */
export type Inspect = (chunk: Uint8Array) => Uint8Array | null;

/** One direction of a relayed flow. It reads no further than it can write, so at most one scratch buffer is ever kept. */
export class Stream {
  /** Bytes handed to the sink. */
  bytes = 0;
  /** Set while there is something to inspect; bytes are spliced only without it. */
  inspect: Inspect | null = null;
  /** Bytes to be sent before any are read, uninspected. */
  pending: Uint8Array | null = null;
  state: StreamState = 'waiting';
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #context: RelayContext;
  #pipe: Pipe | null = null;
  #bulkReads = 0;
  #ended = false;

  constructor(source: Socket, sink: Socket, context: RelayContext) {
    this.#source = source;
    this.#sink = sink;
    this.#context = context;
  }

  /** Whether this direction will move nothing more. */
  get isOver(): boolean {
    return this.state === 'done' || this.state === 'sink-failed';
  }

  /**
   * Moves bytes until something stops it, or until about `budget` bytes are through. With `last`, the sink is going to
   * be closed next, which says the end as well as half-closing it would.
   */
  move(budget: number, last: boolean): void {
    if (this.isOver) return;
    const share = this.bytes + budget;
    let state: StreamState | null = null;
    while (state === null) state = this.#step(share, last);
    this.state = state;
    if (this.#pipe?.filled === 0) this.#returnPipe();
  }

  /** Gives the pipe back. The stream must not move again. */
  release(): void {
    this.#returnPipe();
    this.pending = null;
  }

  /** Writes what is due, then reads once. Null to go on. */
  #step(share: number, last: boolean): StreamState | null {
    const flushed = this.#flush();
    if (flushed !== 'flushed') return flushed === 'full' ? 'waiting' : 'sink-failed';
    if (this.#ended) {
      if (!last) this.#sink.finish();
      return 'done';
    }
    if (!this.#source.readable) return 'waiting';
    if (this.bytes >= share) return 'yielding';
    if (this.inspect === null && this.#bulkReads >= BULK_READS) this.#pipe ??= this.#context.pipes.take();
    return this.#pipe === null ? this.#copy() : this.#splice(this.#pipe);
  }

  #copy(): StreamState | null {
    const count = this.#source.read();
    if (count === FAILED) return 'source-failed';
    if (count === END_OF_STREAM) this.#ended = true;
    if (count <= 0) return null;
    if (count >= BULK_READ_BYTES) this.#bulkReads++;
    // Read into the loop's scratch buffer, which is never kept beyond a call.
    const chunk = this.#context.loop.scratch.bytes.subarray(0, count);
    const passed = this.inspect === null ? chunk : this.inspect(chunk);
    if (passed === null) return 'cut';
    this.pending = passed.length > 0 ? passed : null;
    const flushed = this.#flush();
    if (this.pending !== null) this.pending = Uint8Array.from(this.pending);
    return flushed === 'failed' ? 'sink-failed' : null;
  }

  #splice(pipe: Pipe): StreamState | null {
    const count = this.#source.spliceInto(pipe.writeEnd, pipe.capacity);
    if (count === FAILED) return 'source-failed';
    if (count === END_OF_STREAM) this.#ended = true;
    if (count > 0) pipe.filled += count;
    return null;
  }

  /** Writes what is kept, in memory or in the pipe. */
  #flush(): 'flushed' | 'full' | 'failed' {
    while (this.pending !== null) {
      if (!this.#sink.writable) return 'full';
      const sent = this.#sink.write(this.pending);
      if (sent === FAILED) return 'failed';
      this.bytes += sent;
      this.pending = sent < this.pending.length ? this.pending.subarray(sent) : null;
    }
    while (this.#pipe !== null && this.#pipe.filled > 0) {
      if (!this.#sink.writable) return 'full';
      const sent = this.#sink.spliceFrom(this.#pipe.readEnd, this.#pipe.filled);
      if (sent === FAILED) return 'failed';
      this.bytes += sent;
      this.#pipe.filled -= sent;
    }
    return 'flushed';
  }

  #returnPipe(): void {
    if (this.#pipe !== null) this.#context.pipes.give(this.#pipe);
    this.#pipe = null;
  }
}
