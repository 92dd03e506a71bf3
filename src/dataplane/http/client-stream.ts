import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** How long a client that was told the end may take to hang up: a FIN from us right away could overtake the answer. */
const LINGER_MS = 1_000;

export interface ClientEvents {
  /** Bytes have come and go to the reader next. */
  arrived(): void;
  /** Bytes have gone to the client. */
  sent(): void;
  /** The client's FIN. */
  ended(): void;
  /** All is written and the FIN is sent. */
  finished(): void;
  /** The connection is gone: by the client's reset, or because the stream was destroyed. */
  gone(): void;
}

/**
 * The client's connection as node:http sees it. It stands between so that bytes that came before the hand-over are
 * read first, reading can be held while enough requests wait, a client that has only finished sending is not taken for
 * one that left, and the socket can be had back. Owns the socket until `release`.
 */
export class ClientStream extends Duplex {
  readonly #socket: Socket;
  readonly #events: ClientEvents;
  #unread: Buffer[];
  #isHeld = false;
  #isDeaf = false;

  /** `opening`: what was read from the socket before. The socket must be paused, and half-open capable. */
  constructor(socket: Socket, opening: Uint8Array, events: ClientEvents) {
    super({ allowHalfOpen: true, emitClose: true });
    this.#socket = socket;
    this.#events = events;
    this.#unread = opening.length > 0 ? [Buffer.from(opening)] : [];
    this.on('error', ignore);
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('error', this.#onGone);
    socket.on('close', this.#onGone);
    // Both may have happened while nobody listened.
    if (socket.readableEnded) process.nextTick(this.#onEnd);
    if (socket.destroyed) process.nextTick(this.#onGone);
  }

  /** Gives the reader no more bytes for now; what comes stays in the kernel. */
  hold(): void {
    this.#isHeld = true;
    this.#socket.pause();
  }

  readOn(): void {
    if (!this.#isHeld || this.#isDeaf) return;
    this.#isHeld = false;
    this._read();
  }

  /** Gives the reader no more bytes for good. */
  stopReading(): void {
    this.hold();
    this.#isDeaf = true;
  }

  /** Says `farewell`, which may be empty, and ends the connection. */
  hangUp(farewell: Uint8Array): void {
    this.stopReading();
    if (this.writableEnded) return;
    if (farewell.length > 0) this.write(farewell);
    this.end();
  }

  reset(): void {
    this.#detach();
    this.#socket.resetAndDestroy();
    this.destroy();
  }

  /** Gives the socket up, paused, with the bytes that nobody has read. The stream is of no use any more. */
  release(): { readonly socket: Socket; readonly unread: Buffer } {
    const buffered: Buffer | null = this.read();
    const unread = Buffer.concat([...(buffered === null ? [] : [buffered]), ...this.#unread]);
    this.#detach();
    this.#socket.removeAllListeners('error');
    this.#socket.pause();
    return { socket: this.#socket, unread };
  }

  override _read(): void {
    while (!this.#isHeld) {
      const chunk = this.#unread.shift();
      if (chunk === undefined) {
        this.#socket.resume();
        return;
      }
      this.#events.arrived();
      if (!this.push(chunk)) return;
    }
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#events.sent();
    if (this.#socket.write(chunk)) done();
    else this.#socket.once('drain', done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.#events.sent();
    this.#socket.cork();
    let isTaken = true;
    for (const { chunk } of chunks) isTaken = this.#socket.write(chunk);
    this.#socket.uncork();
    if (isTaken) done();
    else this.#socket.once('drain', done);
  }

  override _final(done: () => void): void {
    this.#socket.end(() => {
      done();
      this.#linger();
      this.#events.finished();
    });
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#detach();
    this.#socket.destroy();
    done(error);
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#isDeaf) return;
    if (this.#isHeld) {
      this.#unread.push(chunk);
      return;
    }
    this.#events.arrived();
    if (!this.push(chunk)) this.#socket.pause();
  };

  readonly #onEnd = (): void => {
    if (this.writableFinished) this.destroy();
    else this.#events.ended();
  };

  readonly #onGone = (): void => {
    this.#detach();
    this.destroy();
    this.#events.gone();
  };

  /** Reads on, to nowhere, until the client hangs up too. */
  #linger(): void {
    this.#isDeaf = true;
    this.#unread = [];
    if (this.#socket.readableEnded) {
      this.destroy();
      return;
    }
    const timer = setTimeout(() => this.destroy(), LINGER_MS);
    this.once('close', () => clearTimeout(timer));
    this.#socket.resume();
  }

  #detach(): void {
    this.#socket.off('data', this.#onData);
    this.#socket.off('end', this.#onEnd);
    this.#socket.off('close', this.#onGone);
    this.#socket.off('error', this.#onGone);
    this.#socket.on('error', ignore);
  }
}

function ignore(): void {}
