import { createRequire } from 'node:module';
import { getSystemErrorName } from 'node:util';

/** Linux constants: the generic ABI that x86-64 and arm64 share, except where noted. */
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_SEQPACKET = 5;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_IP = 0;
export const SOL_SOCKET = 1;
export const IPPROTO_TCP = 6;
export const SOL_IPV6 = 41;
export const SO_REUSEADDR = 2;
export const SO_ERROR = 4;
export const SO_KEEPALIVE = 9;
export const SO_LINGER = 13;
export const SO_REUSEPORT = 15;
/** `struct ucred { pid, uid, gid }` of the other end of a unix socket. */
export const SO_PEERCRED = 17;
export const SO_ACCEPTCONN = 30;
export const SCM_RIGHTS = 1;
export const IP_TRANSPARENT = 19;
export const IP_BIND_ADDRESS_NO_PORT = 24;
export const IPV6_TRANSPARENT = 75;
export const TCP_NODELAY = 1;
export const TCP_KEEPIDLE = 4;
export const TCP_KEEPINTVL = 5;
export const TCP_QUICKACK = 12;
export const IPV6_V6ONLY = 26;
/** netfilter: the destination before REDIRECT; the same number under SOL_IP and SOL_IPV6. */
export const SO_ORIGINAL_DST = 80;
export const SHUT_WR = 1;
export const MSG_NOSIGNAL = 0x4000;
export const MSG_CMSG_CLOEXEC = 0x40000000;
export const EPOLLIN = 0x001;
export const EPOLLOUT = 0x004;
export const EPOLLERR = 0x008;
export const EPOLLHUP = 0x010;
export const EPOLLRDHUP = 0x2000;
export const EPOLLET = 0x80000000 | 0;
export const EPOLLEXCLUSIVE = 1 << 28;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
export const SPLICE_F_MOVE = 1;
export const SPLICE_F_NONBLOCK = 2;
export const F_SETFD = 2;
export const F_SETFL = 4;
export const F_DUPFD_CLOEXEC = 1030;
export const F_SETPIPE_SZ = 1031;
export const FD_CLOEXEC = 1;
export const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const EPOLL_CLOEXEC = 0o2000000;
const EFD_FLAGS = O_NONBLOCK | O_CLOEXEC;

export const EINTR = 4;
export const EAGAIN = 11;
export const ENETUNREACH = 101;
export const ECONNABORTED = 103;
export const ECONNRESET = 104;
export const ETIMEDOUT = 110;
export const ECONNREFUSED = 111;
export const EHOSTUNREACH = 113;
export const EINPROGRESS = 115;

/**
 * `struct epoll_event` is packed on x86-64 only (12 bytes, data at 4); elsewhere it is aligned (16 bytes, data at 8).
 */
export const EPOLL_EVENT_INTS = process.arch === 'x64' ? 3 : 4;
export const EPOLL_DATA_INT = process.arch === 'x64' ? 1 : 2;

/**
 * The system calls of the data plane. All return the C result; after a negative one, `errno()` must be the very next
 * call. Memory that a call fills or reads stands either as a Buffer or, on the hot paths, as the numeric address of a
 * `PinnedBuffer`, which saves a view a call.
 */
export interface Libc {
  errno(): number;
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: Buffer, length: number): number;
  listen(fd: number, backlog: number): number;
  accept4(fd: number, address: number, length: number, flags: number): number;
  connect(fd: number, address: number, length: number): number;
  getsockname(fd: number, address: Buffer, length: Int32Array): number;
  getsockopt(fd: number, level: number, name: number, value: Buffer, length: Int32Array): number;
  setsockopt(fd: number, level: number, name: number, value: Buffer, length: number): number;
  recv(fd: number, address: number, length: number, flags: number): number;
  send(fd: number, bytes: Uint8Array, length: number, flags: number): number;
  /** `message`: a `struct msghdr`. */
  sendmsg(fd: number, message: number, flags: number): number;
  recvmsg(fd: number, message: number, flags: number): number;
  shutdown(fd: number, how: number): number;
  close(fd: number): number;
  splice(
    from: number,
    fromOffset: number,
    to: number,
    toOffset: number,
    length: number,
    flags: number,
  ): number;
  pipe2(fds: Int32Array, flags: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  epollCreate1(flags: number): number;
  epollCtl(epfd: number, operation: number, fd: number, event: Int32Array): number;
  epollWait(epfd: number, events: number, capacity: number, timeoutMs: number): number;
  eventfd(initial: number, flags: number): number;
  write(fd: number, bytes: Buffer, length: number): number;
  read(fd: number, bytes: Buffer, length: number): number;
}

/** Off-heap memory whose address stays put for the buffer's life. */
export interface PinnedBuffer {
  readonly bytes: Buffer;
  readonly address: number;
}

export interface Ffi {
  readonly libc: Libc;
  pin(size: number): PinnedBuffer;
}

/** Loads the C library of this process through koffi. Throws when the platform has no binary for it, or is not Linux. */
export function loadFfi(): Ffi {
  if (process.platform !== 'linux') throw new Error(`epoll needs Linux, this is ${process.platform}`);
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const c = koffi.load(null);
  // Addresses travel as int64: user-space pointers fit a double exactly.
  const libc: Libc = {
    errno: () => koffi.errno(),
    socket: c.func('int socket(int, int, int)'),
    bind: c.func('int bind(int, uint8_t *, uint32_t)'),
    listen: c.func('int listen(int, int)'),
    accept4: c.func('int accept4(int, int64_t, int64_t, int)'),
    connect: c.func('int connect(int, int64_t, uint32_t)'),
    getsockname: c.func('int getsockname(int, uint8_t *, int32_t *)'),
    getsockopt: c.func('int getsockopt(int, int, int, uint8_t *, int32_t *)'),
    setsockopt: c.func('int setsockopt(int, int, int, uint8_t *, uint32_t)'),
    recv: c.func('int64_t recv(int, int64_t, int64_t, int)'),
    send: c.func('int64_t send(int, uint8_t *, int64_t, int)'),
    sendmsg: c.func('int64_t sendmsg(int, int64_t, int)'),
    recvmsg: c.func('int64_t recvmsg(int, int64_t, int)'),
    shutdown: c.func('int shutdown(int, int)'),
    close: c.func('int close(int)'),
    splice: c.func('int64_t splice(int, int64_t, int, int64_t, int64_t, uint32_t)'),
    pipe2: c.func('int pipe2(int32_t *, int)'),
    fcntl: c.func('int fcntl(int, int, int64_t)'),
    epollCreate1: c.func('int epoll_create1(int)'),
    epollCtl: c.func('int epoll_ctl(int, int, int, int32_t *)'),
    epollWait: c.func('int epoll_wait(int, int64_t, int, int)'),
    eventfd: c.func('int eventfd(uint32_t, int)'),
    write: c.func('int64_t write(int, uint8_t *, int64_t)'),
    read: c.func('int64_t read(int, uint8_t *, int64_t)'),
  };
  return {
    libc,
    pin(size) {
      const bytes = Buffer.allocUnsafeSlow(size);
      return { bytes, address: Number(koffi.address(bytes)) };
    },
  };
}

/** A system call that failed, with the kernel's errno. */
export class SystemCallError extends Error {
  readonly errno: number;

  constructor(call: string, errno: number) {
    super(`${call}: ${getSystemErrorName(-errno)}`);
    this.errno = errno;
  }
}

/** A non-blocking eventfd: any thread writes it, and the loop that polls it wakes. */
export function openEventFd(libc: Libc): number {
  return libc.eventfd(0, EFD_FLAGS);
}

export function openEpoll(libc: Libc): number {
  return libc.epollCreate1(EPOLL_CLOEXEC);
}

export function openPipe(libc: Libc, fds: Int32Array): number {
  return libc.pipe2(fds, O_NONBLOCK | O_CLOEXEC);
}
