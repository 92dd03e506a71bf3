import type { PinnedBuffer } from './libc.ts';
import * as c from './libc.ts';
import type { EventHandler, EventLoop } from './loop.ts';
import { decodeSocketAddress, SOCKADDR_IN6_BYTES, type SocketAddress } from './sockets.ts';

/** A burst of connects gives way to the flows under way after this many. */
const MAX_ACCEPTS_PER_TURN = 64;
/** Nothing is waiting, or what was waiting is gone. */
const TRANSIENT: ReadonlySet<number> = new Set([c.EAGAIN, c.EINTR, c.ECONNABORTED]);
/** Out of descriptors or memory, a level-triggered listener would spin. */
const PAUSE_MS = 100;
/** What the kernel queues at most; clients that keep coming must not hold up a drain. */
const MAX_QUEUED = 4096;

/** Accepts connections from one listening socket. The callback owns the descriptor it is given. */
export class Acceptor implements EventHandler {
  readonly #loop: EventLoop;
  readonly #fd: number;
  readonly #accepted: (fd: number, client: SocketAddress) => void;
  readonly #length: PinnedBuffer;
  #open = true;
  #quota = 1;

  constructor(loop: EventLoop, fd: number, accepted: (fd: number, client: SocketAddress) => void) {
    this.#loop = loop;
    this.#fd = fd;
    this.#accepted = accepted;
    this.#length = loop.ffi.pin(4);
    loop.watchReadable(fd, this);
  }

  ready(): void {
    let accepted = 0;
    while (accepted < this.#quota && this.#acceptOne()) accepted++;
    // As many as last time, or more when there were so many: the call that finds nothing is mostly saved, and what is
    // still waiting is reported in the next turn.
    this.#quota =
      accepted === this.#quota ? Math.min(2 * accepted, MAX_ACCEPTS_PER_TURN) : Math.max(1, accepted);
  }

  /** Takes what is queued, then closes the listening socket: what the kernel has accepted is not to be reset. */
  close(): void {
    if (!this.#open) return;
    for (let i = 0; i < MAX_QUEUED && this.#acceptOne(); i++);
    this.#open = false;
    this.#loop.close(this.#fd);
  }

  /** False when nothing is waiting, or nothing can be taken now. */
  #acceptOne(): boolean {
    const { libc } = this.#loop.ffi;
    const { address, bytes } = this.#loop.socketAddress;
    this.#length.bytes.writeUInt32LE(SOCKADDR_IN6_BYTES);
    const flags = c.SOCK_NONBLOCK | c.SOCK_CLOEXEC;
    const fd = libc.accept4(this.#fd, address, this.#length.address, flags);
    if (fd >= 0) {
      this.#accepted(fd, decodeSocketAddress(bytes));
      return true;
    }
    const errno = libc.errno();
    if (!TRANSIENT.has(errno)) this.#pause();
    return false;
  }

  #pause(): void {
    this.#loop.unwatch(this.#fd);
    this.#loop.timers.after(PAUSE_MS, () => {
      if (this.#open) this.#loop.watchReadable(this.#fd, this);
    });
  }
}
