import * as c from './libc.ts';
import type { EventHandler, EventLoop } from './loop.ts';
import { resetOnClose, setKeepalive } from './sockets.ts';

/** What a read came to when it brought no bytes. */
export const END_OF_STREAM = 0;
export const WOULD_BLOCK = -1;
export const FAILED = -2;

/** Whoever a socket belongs to at the moment. An object rather than a closure: an idle flow is made of little else. */
export interface SocketOwner {
  socketReady(): void;
}

/**
 * A connected, non-blocking TCP socket in an event loop, with the readiness that edge-triggered epoll makes its owner
 * remember. Whoever holds the Socket owns the descriptor; `close` and `reset` end it once.
 */
export class Socket implements EventHandler {
  readonly fd: number;
  /** Reading may bring bytes, the end or an error: true until a read said otherwise. */
  readable = false;
  writable = false;
  /** The kernel reported an error on the socket: a reset, or a keepalive that went unanswered. */
  broken = false;
  /** Told when the flags have changed. Each owner of the socket puts itself here. */
  owner: SocketOwner | null = null;
  readonly #loop: EventLoop;
  #finSeen = false;
  #open = true;
  #watches: 'nothing' | 'reads' | 'all' = 'nothing';

  /** `isConnected`: there is room for what is written first. It hears of nothing before `watch`. */
  constructor(loop: EventLoop, fd: number, isConnected = false) {
    this.#loop = loop;
    this.fd = fd;
    this.writable = isConnected;
  }

  /** False when the kernel cannot watch one more. */
  watch(): boolean {
    if (!this.#open) return true;
    // Of room again it hears once there was none, which few sockets see.
    this.#watches = this.writable ? 'reads' : 'all';
    try {
      if (this.writable) this.#loop.watchReads(this.fd, this);
      else this.#loop.watch(this.fd, this);
      return true;
    } catch (error) {
      if (error instanceof c.SystemCallError) return false;
      throw error;
    }
  }

  ready(events: number): void {
    if (events & c.EPOLLRDHUP) this.#finSeen = true;
    if (events & (c.EPOLLIN | c.EPOLLRDHUP | c.EPOLLHUP | c.EPOLLERR)) this.readable = true;
    if (events & (c.EPOLLOUT | c.EPOLLHUP | c.EPOLLERR)) this.writable = true;
    if (events & c.EPOLLERR) this.broken = true;
    this.owner?.socketReady();
  }

  /**
   * Reads up to `limit` bytes into the loop's scratch buffer. Returns the bytes read, END_OF_STREAM, WOULD_BLOCK or FAILED.
   */
  read(limit = this.#loop.scratch.bytes.length): number {
    const { libc } = this.#loop.ffi;
    const count = libc.recv(this.fd, this.#loop.scratch.address, limit, 0);
    // A short read means that the queue is empty, and the next segment will be a new edge; but after a FIN
    // there is no further edge, so then read on to the end.
    if (count > 0) {
      if (count < limit && !this.#finSeen) this.readable = false;
      return count;
    }
    return count === 0 ? END_OF_STREAM : this.#readFailed(libc.errno());
  }

  /** Returns the bytes taken (0 when the socket is full) or FAILED. */
  write(bytes: Uint8Array): number {
    const { libc } = this.#loop.ffi;
    return this.#wrote(libc.send(this.fd, bytes, bytes.length, c.MSG_NOSIGNAL), bytes.length);
  }

  /** Moves up to `length` bytes into a pipe. Returns as `read` does. */
  spliceInto(pipe: number, length: number): number {
    const { libc } = this.#loop.ffi;
    const count = libc.splice(this.fd, 0, pipe, 0, length, c.SPLICE_F_MOVE | c.SPLICE_F_NONBLOCK);
    return count >= 0 ? count : this.#readFailed(libc.errno());
  }

  /** Moves up to `length` bytes out of a pipe. Returns as `write` does. */
  spliceFrom(pipe: number, length: number): number {
    const { libc } = this.#loop.ffi;
    const flags = c.SPLICE_F_MOVE | c.SPLICE_F_NONBLOCK;
    return this.#wrote(libc.splice(pipe, 0, this.fd, 0, length, flags), length);
  }

  /** Half-closes: the peer reads the end after everything sent so far. */
  finish(): void {
    this.#loop.ffi.libc.shutdown(this.fd, c.SHUT_WR);
  }

  keepAlive(): void {
    setKeepalive(this.#loop.ffi.libc, this.fd);
  }

  /** Gives the descriptor up, open and in no loop, for the caller to hand on. */
  release(): number {
    this.#open = false;
    this.owner = null;
    this.readable = false;
    this.#loop.unwatch(this.fd);
    return this.fd;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.owner = null;
    this.#loop.close(this.fd);
  }

  /** Closes with a reset. */
  reset(): void {
    if (this.#open) resetOnClose(this.#loop.ffi.libc, this.fd);
    this.close();
  }

  #readFailed(errno: number): number {
    this.readable = false;
    return errno === c.EAGAIN ? WOULD_BLOCK : FAILED;
  }

  #wrote(count: number, length: number): number {
    if (count < 0) {
      if (this.#loop.ffi.libc.errno() !== c.EAGAIN) return FAILED;
      this.#isFull();
      return 0;
    }
    if (count < length) this.#isFull();
    return count;
  }

  #isFull(): void {
    this.writable = false;
    if (this.#watches !== 'reads') return;
    this.#watches = 'all';
    this.#loop.watchWrites(this.fd, this);
  }
}

/** Makes a Socket of a descriptor that is going to connect, or closes it when the kernel cannot watch one more. */
export function adopt(loop: EventLoop, fd: number): Socket | null {
  const socket = new Socket(loop, fd);
  if (socket.watch()) return socket;
  loop.close(fd);
  return null;
}
