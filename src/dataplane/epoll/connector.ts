import type { IpAddress } from '../../policy/address.ts';
import type { Attempt } from '../dial.ts';
import type { DialFailure } from '../events.ts';
import * as c from './libc.ts';
import type { EventLoop } from './loop.ts';
import { adopt, type Socket, type SocketOwner, WOULD_BLOCK } from './socket.ts';
import { acknowledgeWithData, encodeSocketAddress, openSocket, setNoDelay, socketError } from './sockets.ts';

/** See `Wire.ask`: two tell one byte from more. */
const ANSWER_BYTES = 2;

/** A non-blocking connect under way. Once settled without failure, `socket` is connected and the taker's. */
export class ConnectAttempt implements Attempt, SocketOwner {
  /** Null when there was no descriptor or route to begin with. */
  readonly socket: Socket | null;
  readonly #loop: EventLoop;
  readonly #settle: (failure: DialFailure | null) => void;
  #settled = false;
  #answered: ((answer: Uint8Array | null) => void) | null = null;

  /**
   * `from`: the address to connect from, where it is not one of our own. `sendsFirst`: bytes follow at once, and can
   * carry the handshake's last acknowledgement.
   */
  constructor(
    loop: EventLoop,
    ip: IpAddress,
    port: number,
    settle: (failure: DialFailure | null) => void,
    { from = null, sendsFirst = true }: { from?: IpAddress | null; sendsFirst?: boolean } = {},
  ) {
    this.#loop = loop;
    this.#settle = settle;
    const { libc } = loop.ffi;
    const fd = openSocket(libc, ip, from);
    if (fd < 0) {
      this.socket = null;
      loop.soon(() => this.#finish('other'));
      return;
    }
    setNoDelay(libc, fd);
    // A server that speaks first would wait for the acknowledgement until a timer sends it.
    if (sendsFirst) acknowledgeWithData(libc, fd);
    const length = encodeSocketAddress(ip, port, loop.socketAddress.bytes);
    const errno = libc.connect(fd, loop.socketAddress.address, length) < 0 ? libc.errno() : 0;
    if (errno !== 0 && errno !== c.EINPROGRESS) {
      libc.close(fd);
      this.socket = null;
      loop.soon(() => this.#finish(failureOf(errno)));
      return;
    }
    this.socket = adopt(loop, fd);
    if (this.socket === null) loop.soon(() => this.#finish('other'));
    else this.socket.owner = this;
  }

  abort(): void {
    this.#settled = true;
    this.#answered = null;
    this.socket?.close();
  }

  /** See `Wire.ask`. */
  ask(request: Uint8Array, answered: (answer: Uint8Array | null) => void): () => void {
    this.#answered = answered;
    // Nothing was sent before: so few bytes are taken whole unless the upstream is gone.
    const isSent = this.socket?.write(request) === request.length;
    this.#loop.soon(() => {
      if (isSent) this.#readAnswer();
      else this.#answer(null);
    });
    return () => {
      this.#answered = null;
    };
  }

  socketReady(): void {
    if (this.#settled) return this.#readAnswer();
    if (this.socket === null) return;
    if (this.socket.broken) {
      const errno = socketError(this.#loop.ffi.libc, this.socket.fd);
      this.socket.close();
      this.#finish(failureOf(errno));
    } else if (this.socket.writable) {
      this.#finish(null);
    }
  }

  /** Where nothing is asked, what comes stays for the relay. */
  #readAnswer(): void {
    if (this.#answered === null || this.socket === null || !this.socket.readable) return;
    const count = this.socket.read(ANSWER_BYTES);
    if (count === WOULD_BLOCK) return;
    this.#answer(count > 0 ? Uint8Array.from(this.#loop.scratch.bytes.subarray(0, count)) : null);
  }

  #answer(answer: Uint8Array | null): void {
    const answered = this.#answered;
    this.#answered = null;
    answered?.(answer);
  }

  #finish(failure: DialFailure | null): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#settle(failure);
  }
}

function failureOf(errno: number): DialFailure {
  switch (errno) {
    case c.ECONNREFUSED:
      return 'refused';
    case c.ETIMEDOUT:
      return 'timeout';
    case c.ENETUNREACH:
    case c.EHOSTUNREACH:
      return 'unreachable';
    default:
      return 'other';
  }
}
