import type { EventLoop } from '../../src/dataplane/epoll/loop.ts';
import {
  END_OF_STREAM,
  FAILED,
  type Socket,
  type SocketOwner,
  WOULD_BLOCK,
} from '../../src/dataplane/epoll/socket.ts';
import { encodeCommand, receipt } from './conversation.ts';
import { FlowMaker } from './flow-maker.ts';
import type { BulkResult, LoadOrder } from './orders.ts';

/** Discards received bytes in the kernel: copying them out would only slow the load down. */
const MSG_TRUNC = 0x20;
const MIB = 1024 * 1024;
const RECEIPT_BYTES = receipt().length;

/** Reads without a copy, and returns as `Socket.read` does. */
function discard(loop: EventLoop, socket: Socket): number {
  const { libc } = loop.ffi;
  const { address, bytes } = loop.scratch;
  const count = libc.recv(socket.fd, address, bytes.length, MSG_TRUNC);
  if (count > 0) return count;
  // The slow way finds out what it is and leaves the socket's flags right.
  return socket.read();
}

/** Bytes on their way to whoever takes them. */
export class Source implements SocketOwner {
  static readonly #chunk = Buffer.alloc(256 * 1024, 0x78);
  readonly #socket: Socket;
  readonly #sent: () => void;
  readonly #failed: () => void;
  #left: number;

  constructor(socket: Socket, bytes: number, ends: { sent: () => void; failed: () => void }) {
    this.#socket = socket;
    this.#left = bytes;
    this.#sent = ends.sent;
    this.#failed = ends.failed;
  }

  socketReady(): void {
    if (this.#left > 0 && this.#socket.broken) return this.#failed();
    while (this.#left > 0 && this.#socket.writable) {
      const chunk = Source.#chunk;
      const count = this.#socket.write(this.#left >= chunk.length ? chunk : chunk.subarray(0, this.#left));
      if (count === FAILED) return this.#failed();
      this.#left -= count;
      if (this.#left === 0) this.#sent();
    }
  }
}

/** Takes a known number of bytes. */
export class Sink implements SocketOwner {
  readonly #loop: EventLoop;
  readonly #socket: Socket;
  readonly #received: () => void;
  readonly #failed: () => void;
  #left: number;

  constructor(
    loop: EventLoop,
    socket: Socket,
    bytes: number,
    ends: { received: () => void; failed: () => void },
  ) {
    this.#loop = loop;
    this.#socket = socket;
    this.#left = bytes;
    this.#received = ends.received;
    this.#failed = ends.failed;
  }

  socketReady(): void {
    while (this.#left > 0 && this.#socket.readable) {
      const count = discard(this.#loop, this.#socket);
      if (count === WOULD_BLOCK) return;
      if (count === FAILED || count === END_OF_STREAM) return this.#failed();
      this.#left -= count;
      if (this.#left <= 0) this.#received();
    }
  }
}

/** Moves `mib` MiB through one flow; upwards, up to the backend's receipt. Throws when the flow fails. */
export function runBulk(
  loop: EventLoop,
  { target, direction, mib }: Extract<LoadOrder, { type: 'bulk' }>,
): BulkResult {
  const bytes = mib * MIB;
  const progress: { begunMs: number; ended: 'done' | 'failed' | null } = { begunMs: 0, ended: null };
  const failed = () => {
    progress.ended = 'failed';
  };
  const maker = new FlowMaker(loop, target, {
    answering: () => {},
    answered: (_flow, socket) => {
      const received = () => {
        progress.ended = 'done';
        socket.close();
      };
      progress.begunMs = performance.now();
      socket.write(encodeCommand({ direction, mib }));
      const sink = new Sink(loop, socket, direction === 'down' ? bytes : RECEIPT_BYTES, { received, failed });
      const source = new Source(socket, direction === 'up' ? bytes : 0, { sent: () => {}, failed });
      socket.owner = {
        socketReady: () => {
          source.socketReady();
          sink.socketReady();
        },
      };
      socket.owner.socketReady();
    },
    failed,
  });
  maker.start();
  while (progress.ended === null) loop.turn();
  if (progress.ended === 'failed') throw new Error('the bulk flow broke');
  return { bytes, seconds: (performance.now() - progress.begunMs) / 1000 };
}
