import type { Libc, PinnedBuffer } from './libc.ts';
import * as c from './libc.ts';
import { closedAfter } from './sockets.ts';

const FAMILY_BYTES = 2;
/** `sun_path` of `struct sockaddr_un`. */
const MAX_PATH_BYTES = 108;
const SOCKADDR_UN_BYTES = FAMILY_BYTES + MAX_PATH_BYTES;
const UCRED_BYTES = 12;

/**
 * Writes `struct sockaddr_un` to the start of `bytes` and returns its length. A path that begins with `@` is an
 * abstract name, as systemd writes it. Null when it does not fit.
 */
export function encodeUnixAddress(path: string, bytes: Buffer): number | null {
  const isAbstract = path.startsWith('@');
  const name = Buffer.from(isAbstract ? path.slice(1) : path);
  const length = FAMILY_BYTES + name.length + 1;
  if (name.length === 0 || length > SOCKADDR_UN_BYTES) return null;
  bytes.fill(0, 0, SOCKADDR_UN_BYTES);
  bytes.writeUInt16LE(c.AF_UNIX, 0);
  name.copy(bytes, FAMILY_BYTES + (isAbstract ? 1 : 0));
  return length;
}

/** Connects a new unix socket of `type` to `path`. Throws SystemCallError. */
export function connectUnix(libc: Libc, path: string, type: number, room: PinnedBuffer): number {
  const length = encodeUnixAddress(path, room.bytes);
  if (length === null) throw new Error(`${JSON.stringify(path)} is no address of a unix socket`);
  const fd = libc.socket(c.AF_UNIX, type | c.SOCK_CLOEXEC | c.SOCK_NONBLOCK, 0);
  if (fd < 0) throw new c.SystemCallError('socket', libc.errno());
  if (libc.connect(fd, room.address, length) === 0) return fd;
  throw closedAfter(libc, fd, 'connect');
}

/** Opens a listening socket under an abstract name that the kernel picks, which this network namespace alone knows. */
export function listenUnix(libc: Libc, type: number): { readonly fd: number; readonly path: string } {
  const fd = libc.socket(c.AF_UNIX, type | c.SOCK_CLOEXEC | c.SOCK_NONBLOCK, 0);
  if (fd < 0) throw new c.SystemCallError('socket', libc.errno());
  const address = Buffer.alloc(SOCKADDR_UN_BYTES);
  address.writeUInt16LE(c.AF_UNIX, 0);
  const length = Int32Array.of(address.length);
  if (
    libc.bind(fd, address, FAMILY_BYTES) < 0 ||
    libc.listen(fd, 1) < 0 ||
    libc.getsockname(fd, address, length) < 0
  ) {
    throw closedAfter(libc, fd, 'listen');
  }
  return { fd, path: `@${address.toString('latin1', FAMILY_BYTES + 1, length[0])}` };
}

/** The user of the process at the other end of a connected unix socket, as the kernel tells; null when it does not. */
export function peerUser(libc: Libc, fd: number): number | null {
  const credentials = Buffer.alloc(UCRED_BYTES);
  const length = Int32Array.of(UCRED_BYTES);
  if (libc.getsockopt(fd, c.SOL_SOCKET, c.SO_PEERCRED, credentials, length) < 0) return null;
  return credentials.readUInt32LE(4);
}

/** Room for what `connectUnix` and `encodeUnixAddress` write. */
export const UNIX_ADDRESS_BYTES = SOCKADDR_UN_BYTES;
