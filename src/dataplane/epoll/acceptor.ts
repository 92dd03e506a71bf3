import type { DescriptorGuard, Held } from './descriptor-guard.ts';
import type { PinnedBuffer } from './libc.ts';
import * as c from './libc.ts';
import type { EventHandler, EventLoop } from './loop.ts';
import { decodeSocketAddress, resetOnClose, SOCKADDR_IN6_BYTES, type SocketAddress } from './sockets.ts';

/** A burst of connects gives way to the flows under way after this many. */
const MAX_ACCEPTS_PER_TURN = 64;
/** Nothing is waiting, or what was waiting is gone. */
const TRANSIENT: ReadonlySet<number> = new Set([c.EAGAIN, c.EINTR, c.ECONNABORTED]);
/** What the kernel queues at most; clients that keep coming must not hold up a drain. */
const MAX_QUEUED = 4096;

/** Accepts connections from one listening socket. The callback owns the descriptor it is given. */
export class Acceptor implements EventHandler, Held {
  readonly #loop: EventLoop;
  readonly #fd: number;
  readonly #isKept: boolean;
  readonly #accepted: (fd: number, client: SocketAddress) => void;
  readonly #descriptors: DescriptorGuard;
  readonly #length: PinnedBuffer;
  #open = true;
  #isPaused = false;
  #quota = 1;

  /** `isKept`: whoever opened the socket holds it for longer than we do. */
  constructor(
    loop: EventLoop,
    fd: number,
    descriptors: DescriptorGuard,
    accepted: (fd: number, client: SocketAddress) => void,
    isKept = false,
  ) {
    this.#descriptors = descriptors;
    descriptors.hold(this);
    this.#loop = loop;
    this.#fd = fd;
    this.#isKept = isKept;
    this.#accepted = accepted;
    this.#length = loop.ffi.pin(4);
    loop.watchShared(fd, this);
  }

  ready(): void {
    let accepted = 0;
    while (accepted < this.#quota && !this.#isPaused && this.#acceptOne()) accepted++;
    // As many as last time, or more when there were so many: the call that finds nothing is mostly saved, and what is
    // still waiting is reported in the next turn.
    this.#quota =
      accepted === this.#quota ? Math.min(2 * accepted, MAX_ACCEPTS_PER_TURN) : Math.max(1, accepted);
  }

  /**
   * Closes the listening socket. When nobody else holds it, what is queued is taken first, or the kernel would reset
   * it; last in this turn, right before the close, so that little comes in between.
   */
  close(hasSuccessor: boolean): void {
    if (!this.#open) return;
    this.#open = false;
    // A socket that others hold stays in the epoll set when we close it.
    this.#loop.unwatch(this.#fd);
    this.#loop.soon(() => {
      const isLeft = hasSuccessor || this.#isKept;
      for (let i = 0; !isLeft && i < MAX_QUEUED && this.#acceptOne(); i++);
      this.#loop.close(this.#fd);
    });
  }

  pause(): void {
    if (!this.#open) return;
    this.#isPaused = true;
    this.#loop.unwatch(this.#fd);
  }

  resume(): void {
    if (!this.#open) return;
    this.#isPaused = false;
    this.#loop.watchShared(this.#fd, this);
  }

  shed(): boolean {
    const fd = this.#open ? this.#accept() : -1;
    if (fd < 0) return false;
    const { libc } = this.#loop.ffi;
    resetOnClose(libc, fd);
    libc.close(fd);
    return true;
  }

  /** False when nothing is waiting, or nothing can be taken now. */
  #acceptOne(): boolean {
    const fd = this.#accept();
    if (fd >= 0) {
      this.#accepted(fd, decodeSocketAddress(this.#loop.socketAddress.bytes));
      this.#descriptors.accepted(fd);
      return true;
    }
    // Out of descriptors or memory, a level-triggered listener would spin.
    if (!TRANSIENT.has(this.#loop.ffi.libc.errno())) this.#descriptors.exhausted();
    return false;
  }

  /** A descriptor, and whose it is in the loop's `socketAddress`; or negative. */
  #accept(): number {
    this.#length.bytes.writeUInt32LE(SOCKADDR_IN6_BYTES);
    const { ffi, socketAddress } = this.#loop;
    const flags = c.SOCK_NONBLOCK | c.SOCK_CLOEXEC;
    return ffi.libc.accept4(this.#fd, socketAddress.address, this.#length.address, flags);
  }
}
