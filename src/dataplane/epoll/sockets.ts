import { IpAddress } from '../../policy/address.ts';
import type { Libc } from './libc.ts';
import * as c from './libc.ts';

/** What the kernel takes at most is net.core.somaxconn (4096 since 5.4). */
const BACKLOG = 4096;
const SOCKADDR_IN_BYTES = 16;
export const SOCKADDR_IN6_BYTES = 28;

/** Seconds. AWS NAT gateways, NLB and GWLB drop flows that are idle for 350 s. */
const KEEPALIVE = int32(120);
const KEEPALIVE_INTERVAL = int32(30);
const ON = int32(1);
const OFF = int32(0);
/** `struct linger { on, 0 s }`: close sends a reset instead of a FIN. */
const LINGER_RESET = Buffer.concat([int32(1), int32(0)]);

export interface SocketAddress {
  readonly ip: IpAddress;
  readonly port: number;
}

/**
 * Writes `struct sockaddr_in` or `sockaddr_in6`, whichever the address' family asks for, to the start of `bytes`
 * (SOCKADDR_IN6_BYTES). Returns its length.
 */
export function encodeSocketAddress(ip: IpAddress, port: number, bytes: Buffer): number {
  bytes.fill(0);
  bytes.writeUInt16LE(ip.family === 4 ? c.AF_INET : c.AF_INET6, 0);
  bytes.writeUInt16BE(port, 2);
  const [w0, w1, w2, w3] = ip.words;
  if (ip.family === 4) {
    bytes.writeUInt32BE(w3, 4);
    return SOCKADDR_IN_BYTES;
  }
  bytes.writeUInt32BE(w0, 8);
  bytes.writeUInt32BE(w1, 12);
  bytes.writeUInt32BE(w2, 16);
  bytes.writeUInt32BE(w3, 20);
  return SOCKADDR_IN6_BYTES;
}

/** Decodes what the kernel wrote; an IPv4-mapped peer comes out as IPv4. */
export function decodeSocketAddress(bytes: Buffer): SocketAddress {
  const port = bytes.readUInt16BE(2);
  if (bytes.readUInt16LE(0) === c.AF_INET) return { ip: IpAddress.fromV4(bytes.readUInt32BE(4)), port };
  const word = (i: number) => bytes.readUInt32BE(8 + 4 * i);
  return { ip: IpAddress.fromWords(word(0), word(1), word(2), word(3)), port };
}

/**
 * Opens a non-blocking listening socket with SO_REUSEPORT, so that every worker has its own accept queue. Accepted
 * sockets inherit TCP_NODELAY and keepalive. `transparent`: it takes connections to any address, as TPROXY leads them
 * here, which needs CAP_NET_RAW or CAP_NET_ADMIN. Throws SystemCallError.
 */
export function openListener(libc: Libc, ip: IpAddress, port: number, transparent = false): number {
  const fd = openBound(libc, ip, port, { transparent, shared: true });
  prepareListener(libc, fd);
  if (libc.listen(fd, BACKLOG) < 0) throw closedAfter(libc, fd, 'listen');
  return fd;
}

/**
 * Throws SystemCallError when another socket listens there already: one with SO_REUSEPORT and of the same user would
 * let us join unasked.
 */
export function expectUnused(libc: Libc, ip: IpAddress, port: number, transparent = false): void {
  libc.close(openBound(libc, ip, port, { transparent, shared: false }));
}

/** Makes a listening socket that another process opened like one of `openListener`. Throws SystemCallError. */
export function adoptListener(libc: Libc, fd: number, transparent: boolean): void {
  libc.fcntl(fd, c.F_SETFD, c.FD_CLOEXEC);
  libc.fcntl(fd, c.F_SETFL, c.O_NONBLOCK);
  prepareListener(libc, fd);
  const { family } = localAddress(libc, fd).ip;
  if (transparent && !isTransparent(libc, fd, family) && !setTransparent(libc, fd, family)) {
    throw new c.SystemCallError('setsockopt IP_TRANSPARENT', libc.errno());
  }
}

/** The address that a TCP socket listens at; null for any other descriptor. */
export function listeningAddress(libc: Libc, fd: number): SocketAddress | null {
  const isListening = int32(0);
  if (libc.getsockopt(fd, c.SOL_SOCKET, c.SO_ACCEPTCONN, isListening, Int32Array.of(4)) < 0) return null;
  const bytes = Buffer.alloc(SOCKADDR_IN6_BYTES);
  if (isListening.readInt32LE(0) === 0 || libc.getsockname(fd, bytes, Int32Array.of(bytes.length)) < 0) {
    return null;
  }
  const family = bytes.readUInt16LE(0);
  return family === c.AF_INET || family === c.AF_INET6 ? decodeSocketAddress(bytes) : null;
}

function openBound(
  libc: Libc,
  ip: IpAddress,
  port: number,
  { transparent, shared }: { transparent: boolean; shared: boolean },
): number {
  const fd = openStream(libc, ip);
  if (fd < 0) throw new c.SystemCallError('socket', libc.errno());
  setOption(libc, fd, c.SOL_SOCKET, c.SO_REUSEADDR, ON);
  if (shared) setOption(libc, fd, c.SOL_SOCKET, c.SO_REUSEPORT, ON);
  if (ip.family === 6) setOption(libc, fd, c.SOL_IPV6, c.IPV6_V6ONLY, OFF);
  if (transparent && !setTransparent(libc, fd, ip.family)) {
    throw closedAfter(libc, fd, 'setsockopt IP_TRANSPARENT');
  }
  const address = Buffer.alloc(SOCKADDR_IN6_BYTES);
  if (libc.bind(fd, address, encodeSocketAddress(ip, port, address)) < 0) throw closedAfter(libc, fd, 'bind');
  return fd;
}

function prepareListener(libc: Libc, fd: number): void {
  setNoDelay(libc, fd);
  setKeepalive(libc, fd);
}

/** The error of the call that has just failed; the socket is closed. */
export function closedAfter(libc: Libc, fd: number, call: string): c.SystemCallError {
  const error = new c.SystemCallError(call, libc.errno());
  libc.close(fd);
  return error;
}

/** The address a socket is bound to. */
export function localAddress(libc: Libc, fd: number): SocketAddress {
  const bytes = Buffer.alloc(SOCKADDR_IN6_BYTES);
  if (libc.getsockname(fd, bytes, Int32Array.of(bytes.length)) < 0) {
    throw new c.SystemCallError('getsockname', libc.errno());
  }
  return decodeSocketAddress(bytes);
}

/** Where a client was going before netfilter redirected it to us; null when it was not redirected. */
export function originalDestination(libc: Libc, fd: number, family: 4 | 6): SocketAddress | null {
  const bytes = Buffer.alloc(SOCKADDR_IN6_BYTES);
  const level = family === 4 ? c.SOL_IP : c.SOL_IPV6;
  const result = libc.getsockopt(fd, level, c.SO_ORIGINAL_DST, bytes, Int32Array.of(bytes.length));
  return result < 0 ? null : decodeSocketAddress(bytes);
}

/** The pending error of a socket (SO_ERROR), 0 when there is none; reading clears it. */
export function socketError(libc: Libc, fd: number): number {
  const value = int32(0);
  libc.getsockopt(fd, c.SOL_SOCKET, c.SO_ERROR, value, Int32Array.of(value.length));
  return value.readInt32LE(0);
}

export function setNoDelay(libc: Libc, fd: number): void {
  setOption(libc, fd, c.IPPROTO_TCP, c.TCP_NODELAY, ON);
}

/**
 * Lets the handshake's last ACK travel with the first bytes, which a flow has at hand when it dials: one packet less a
 * flow. Not for a peer that speaks first: it would wait for a delayed ACK.
 */
export function acknowledgeWithData(libc: Libc, fd: number): void {
  setOption(libc, fd, c.IPPROTO_TCP, c.TCP_QUICKACK, OFF);
}

export function setKeepalive(libc: Libc, fd: number): void {
  setOption(libc, fd, c.SOL_SOCKET, c.SO_KEEPALIVE, ON);
  setOption(libc, fd, c.IPPROTO_TCP, c.TCP_KEEPIDLE, KEEPALIVE);
  setOption(libc, fd, c.IPPROTO_TCP, c.TCP_KEEPINTVL, KEEPALIVE_INTERVAL);
}

/** Makes the coming close of `fd` a reset. */
export function resetOnClose(libc: Libc, fd: number): void {
  setOption(libc, fd, c.SOL_SOCKET, c.SO_LINGER, LINGER_RESET);
}

/**
 * Gives a socket that is going to connect an address of somebody else's, on a port that the kernel picks. Needs
 * CAP_NET_RAW or CAP_NET_ADMIN, and routes that lead the answers back here. False when the kernel refuses.
 */
function bindAs(libc: Libc, fd: number, ip: IpAddress): boolean {
  const address = Buffer.alloc(SOCKADDR_IN6_BYTES);
  setOption(libc, fd, c.SOL_IP, c.IP_BIND_ADDRESS_NO_PORT, ON);
  return (
    setTransparent(libc, fd, ip.family) && libc.bind(fd, address, encodeSocketAddress(ip, 0, address)) === 0
  );
}

function isTransparent(libc: Libc, fd: number, family: 4 | 6): boolean {
  const value = int32(0);
  const [level, name] = family === 4 ? [c.SOL_IP, c.IP_TRANSPARENT] : [c.SOL_IPV6, c.IPV6_TRANSPARENT];
  return libc.getsockopt(fd, level, name, value, Int32Array.of(4)) === 0 && value.readInt32LE(0) !== 0;
}

/**
 * A socket that is to connect to `ip`: from `source`, which is somebody else's address (see `bindAs`), or from one of our
 * own where that is null. Negative when there is none to be had.
 */
export function openSocket(libc: Libc, ip: IpAddress, source: IpAddress | null): number {
  if (source !== null && source.family !== ip.family) return -1;
  const fd = openStream(libc, ip);
  if (fd < 0 || source === null || bindAs(libc, fd, source)) return fd;
  libc.close(fd);
  return -1;
}

function openStream(libc: Libc, { family }: IpAddress): number {
  const domain = family === 4 ? c.AF_INET : c.AF_INET6;
  return libc.socket(domain, c.SOCK_STREAM | c.SOCK_NONBLOCK | c.SOCK_CLOEXEC, 0);
}

/** False when the kernel refuses. An IPv6 socket may serve IPv4 as well, hence both levels there. */
function setTransparent(libc: Libc, fd: number, family: 4 | 6): boolean {
  const isV4 = setOption(libc, fd, c.SOL_IP, c.IP_TRANSPARENT, ON);
  return family === 4 ? isV4 : setOption(libc, fd, c.SOL_IPV6, c.IPV6_TRANSPARENT, ON);
}

/** False when the kernel refuses. */
function setOption(libc: Libc, fd: number, level: number, name: number, value: Buffer): boolean {
  return libc.setsockopt(fd, level, name, value, value.length) === 0;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}
