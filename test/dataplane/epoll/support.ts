import { DescriptorGuard } from '../../../src/dataplane/epoll/descriptor-guard.ts';
import * as c from '../../../src/dataplane/epoll/libc.ts';
import { EventLoop } from '../../../src/dataplane/epoll/loop.ts';
import { Socket } from '../../../src/dataplane/epoll/socket.ts';
import {
  encodeSocketAddress,
  localAddress,
  openListener,
  resetOnClose,
  SOCKADDR_IN6_BYTES,
} from '../../../src/dataplane/epoll/sockets.ts';
import { ip } from '../../resolve/support.ts';

export const isLinux = process.platform === 'linux';

/** The far end of a connection: plain calls that never wait. */
export class FarEnd {
  readonly fd: number;
  readonly #lab: Lab;

  constructor(lab: Lab, fd: number) {
    this.#lab = lab;
    this.fd = fd;
  }

  /** How many bytes the kernel took; 0 when it takes no more; -errno when it fails. */
  send(bytes: Uint8Array): number {
    const { libc } = this.#lab.ffi;
    const sent = libc.send(this.fd, bytes, bytes.length, c.MSG_NOSIGNAL);
    if (sent >= 0) return sent;
    const errno = libc.errno();
    return errno === c.EAGAIN ? 0 : -errno;
  }

  /** Bytes; `end` after a FIN, `reset` after a RST, null when there is nothing yet. */
  receive(): Buffer | 'end' | 'reset' | null {
    const { libc } = this.#lab.ffi;
    const { address, bytes } = this.#lab.buffer;
    const count = libc.recv(this.fd, address, bytes.length, 0);
    if (count > 0) return Buffer.from(bytes.subarray(0, count));
    if (count === 0) return 'end';
    const errno = libc.errno();
    if (errno === c.EAGAIN) return null;
    if (errno === c.ECONNRESET) return 'reset';
    throw new c.SystemCallError('recv', errno);
  }

  finish(): void {
    this.#lab.ffi.libc.shutdown(this.fd, c.SHUT_WR);
  }

  reset(): void {
    resetOnClose(this.#lab.ffi.libc, this.fd);
    this.#lab.ffi.libc.close(this.fd);
  }
}

/** An event loop with connections made for it, all on this thread. */
export class Lab {
  readonly ffi = c.loadFfi();
  readonly loop = new EventLoop(this.ffi);
  readonly buffer = this.ffi.pin(256 * 1024);
  readonly #accepted = this.ffi.pin(SOCKADDR_IN6_BYTES);
  readonly #length = this.ffi.pin(4);

  /** A connection over loopback: one end in the loop, the other in the test's hands. */
  connect(): { near: Socket; far: FarEnd } {
    const { libc } = this.ffi;
    const listener = openListener(libc, ip('127.0.0.1'), 0);
    const address = localAddress(libc, listener);
    const fd = this.#connectTo(address.port);
    this.#length.bytes.writeUInt32LE(SOCKADDR_IN6_BYTES);
    const near = libc.accept4(
      listener,
      this.#accepted.address,
      this.#length.address,
      c.SOCK_NONBLOCK | c.SOCK_CLOEXEC,
    );
    libc.close(listener);
    if (near < 0) throw new Error('the connection was not there to be accepted');
    const socket = new Socket(this.loop, near, true);
    socket.watch();
    return { near: socket, far: new FarEnd(this, fd) };
  }

  /** A far end that connects to a listener of the test's own. */
  dial(port: number): FarEnd {
    return new FarEnd(this, this.#connectTo(port));
  }

  /** Descriptors enough for whatever a test accepts. */
  descriptors(): DescriptorGuard {
    return new DescriptorGuard(this.loop, 1_000_000, () => {});
  }

  /** Turns the loop, without ever sleeping, until `done`. Throws when it does not come to that. */
  turnUntil(done: () => boolean): void {
    for (let turns = 0; !done(); turns++) {
      if (turns > 20_000) throw new Error('it did not come to that in 20 000 turns');
      this.turn();
    }
  }

  /** One turn that does not sleep. */
  turn(): void {
    this.loop.soon(() => {});
    this.loop.turn();
  }

  /** Enough turns for whatever is under way on loopback. */
  settle(): void {
    for (let i = 0; i < 20; i++) this.turn();
  }

  #connectTo(port: number): number {
    const { libc } = this.ffi;
    const fd = libc.socket(c.AF_INET, c.SOCK_STREAM | c.SOCK_NONBLOCK | c.SOCK_CLOEXEC, 0);
    const { address, bytes } = this.loop.socketAddress;
    libc.connect(fd, address, encodeSocketAddress(ip('127.0.0.1'), port, bytes));
    return fd;
  }
}

/** Bytes of which no two stretches are alike. */
export function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i + 4 <= length; i += 4) bytes.writeUInt32LE(Math.imul(i, 0x9e3779b1) >>> 0, i);
  return bytes;
}
