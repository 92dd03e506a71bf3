import type { Ffi, PinnedBuffer } from './libc.ts';
import * as c from './libc.ts';
import { connectUnix, listenUnix, peerUser, UNIX_ADDRESS_BYTES } from './unix-socket.ts';

/** How many descriptors travel in one message; the kernel takes 253. */
const FDS_PER_MESSAGE = 64;

/**
 * Where another process of the same user leaves descriptors: an abstract unix socket, to whose `path` it is told to
 * send. Whoever made it closes it.
 */
export class SocketReceiver {
  readonly path: string;
  readonly #ffi: Ffi;
  readonly #fd: number;

  /** Throws SystemCallError. */
  constructor(ffi: Ffi) {
    this.#ffi = ffi;
    const { fd, path } = listenUnix(ffi.libc, c.SOCK_SEQPACKET);
    this.#fd = fd;
    this.path = path;
  }

  /**
   * What was sent before this call: descriptors in the order sent, which the caller owns, and the sender's key. Null
   * when nobody has sent, or only another user.
   */
  receive(): Received | null {
    const { libc } = this.#ffi;
    const connection = libc.accept4(this.#fd, 0, 0, c.SOCK_CLOEXEC | c.SOCK_NONBLOCK);
    if (connection < 0) return null;
    const received: Received = { fds: [], key: '' };
    if (isOurs(peerUser(libc, connection))) {
      const message = new DescriptorMessage(this.#ffi);
      while (message.receive(connection, received));
    }
    libc.close(connection);
    return received.key === '' ? null : received;
  }

  close(): void {
    this.#ffi.libc.close(this.#fd);
  }
}

interface Received {
  readonly fds: number[];
  key: string;
}

/**
 * Sends descriptors to the SocketReceiver of another process at `path`, with a key of KEY_BYTES latin1
 * characters at most. They stay open here. Throws when there is none, or when it is another user's.
 */
export function sendDescriptors(ffi: Ffi, path: string, fds: readonly number[], key: string): void {
  const connection = connectUnix(ffi.libc, path, c.SOCK_SEQPACKET, ffi.pin(UNIX_ADDRESS_BYTES));
  try {
    if (!isOurs(peerUser(ffi.libc, connection))) throw new Error('the receiver runs as another user');
    const message = new DescriptorMessage(ffi);
    message.send(connection, fds.slice(0, FDS_PER_MESSAGE), key);
    for (let i = FDS_PER_MESSAGE; i < fds.length; i += FDS_PER_MESSAGE) {
      message.send(connection, fds.slice(i, i + FDS_PER_MESSAGE), key);
    }
  } finally {
    ffi.libc.close(connection);
  }
}

/** Not root either: that of another container may have nothing to say here. */
function isOurs(user: number | null): boolean {
  return user !== null && user === process.geteuid?.();
}

const IOVEC_AT = 64;
const DATA_AT = IOVEC_AT + 16;
const KEY_BYTES = 64;
const CONTROL_AT = DATA_AT + KEY_BYTES;
const CMSG_HEADER_BYTES = 16;
const CONTROL_BYTES = CMSG_HEADER_BYTES + 4 * FDS_PER_MESSAGE;

/** `struct msghdr` of 64-bit Linux with a key and one SCM_RIGHTS control message, in one stretch of memory. */
class DescriptorMessage {
  readonly #ffi: Ffi;
  readonly #room: PinnedBuffer;

  constructor(ffi: Ffi) {
    this.#ffi = ffi;
    this.#room = ffi.pin(CONTROL_AT + CONTROL_BYTES);
  }

  send(connection: number, fds: readonly number[], key: string): void {
    const controlBytes = CMSG_HEADER_BYTES + 4 * fds.length;
    const { bytes, address } = this.#room;
    this.#prepare(fds.length === 0 ? 0 : Math.ceil(controlBytes / 8) * 8, key.length);
    bytes.write(key, DATA_AT, KEY_BYTES, 'latin1');
    bytes.writeBigUInt64LE(BigInt(controlBytes), CONTROL_AT);
    bytes.writeInt32LE(c.SOL_SOCKET, CONTROL_AT + 8);
    bytes.writeInt32LE(c.SCM_RIGHTS, CONTROL_AT + 12);
    for (const [i, fd] of fds.entries()) bytes.writeInt32LE(fd, CONTROL_AT + CMSG_HEADER_BYTES + 4 * i);
    if (this.#ffi.libc.sendmsg(connection, address, c.MSG_NOSIGNAL) < 0) {
      throw new c.SystemCallError('sendmsg', this.#ffi.libc.errno());
    }
  }

  /** Adds what the next message brings; false when there is none. */
  receive(connection: number, received: Received): boolean {
    const { bytes, address } = this.#room;
    this.#prepare(CONTROL_BYTES, KEY_BYTES);
    const keyBytes = this.#ffi.libc.recvmsg(connection, address, c.MSG_CMSG_CLOEXEC);
    if (keyBytes <= 0) return false;
    received.key = bytes.toString('latin1', DATA_AT, DATA_AT + keyBytes);
    const length = Number(bytes.readBigUInt64LE(CONTROL_AT));
    const isRights = bytes.readInt32LE(CONTROL_AT + 12) === c.SCM_RIGHTS;
    for (let at = CMSG_HEADER_BYTES; isRights && at + 4 <= Math.min(length, CONTROL_BYTES); at += 4) {
      received.fds.push(bytes.readInt32LE(CONTROL_AT + at));
    }
    return true;
  }

  #prepare(controlBytes: number, dataBytes: number): void {
    const { bytes, address } = this.#room;
    bytes.fill(0);
    bytes.writeBigUInt64LE(BigInt(address + IOVEC_AT), 16);
    bytes.writeBigUInt64LE(1n, 24);
    bytes.writeBigUInt64LE(BigInt(address + CONTROL_AT), 32);
    bytes.writeBigUInt64LE(BigInt(controlBytes), 40);
    bytes.writeBigUInt64LE(BigInt(address + DATA_AT), IOVEC_AT);
    bytes.writeBigUInt64LE(BigInt(dataBytes), IOVEC_AT + 8);
  }
}
