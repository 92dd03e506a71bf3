import { Socket } from 'node:net';
import type { IpAddress } from '../../policy/address.ts';
import type { Attempt } from '../dial.ts';
import type { DialFailure } from '../events.ts';

const KEEPALIVE_MS = 120_000;

/** See `Wire.ask`: two tell one byte from more. */
const ANSWER_BYTES = 2;

/** A connection attempt over `node:net`. Once settled without failure, `socket` is connected, paused and the taker's. */
export class NodeAttempt implements Attempt {
  readonly socket: Socket;
  readonly #settle: (failure: DialFailure | null) => void;
  readonly #failed = (error: NodeJS.ErrnoException) => this.#finish(failureOf(error.code));

  /** `fd`: a socket that is not connected yet, ours from now on; negative: there was none to be had. */
  constructor(ip: IpAddress, port: number, settle: (failure: DialFailure | null) => void, fd?: number) {
    this.#settle = settle;
    const isMissing = fd !== undefined && fd < 0;
    this.socket = new Socket({ allowHalfOpen: true, ...(fd === undefined || isMissing ? {} : { fd }) });
    this.socket.setNoDelay(true);
    this.socket.setKeepAlive(true, KEEPALIVE_MS);
    this.socket.pause();
    this.socket.once('error', this.#failed);
    this.socket.once('connect', () => this.#finish(null));
    if (isMissing) this.socket.destroy(new Error('no socket to connect with'));
    else this.socket.connect({ host: ip.toString(), port });
  }

  abort(): void {
    this.socket.removeAllListeners();
    this.socket.on('error', () => {});
    this.socket.destroy();
  }

  /** See `Wire.ask`. Leaves the socket paused. */
  ask(request: Uint8Array, answered: (answer: Uint8Array | null) => void): () => void {
    const { socket } = this;
    const read = (chunk: Buffer) => {
      stop();
      if (chunk.length > ANSWER_BYTES) socket.unshift(chunk.subarray(ANSWER_BYTES));
      answered(chunk.subarray(0, ANSWER_BYTES));
    };
    const failed = () => {
      stop();
      answered(null);
    };
    const stop = () => {
      socket.pause();
      socket.off('data', read);
      socket.off('end', failed);
      socket.off('error', failed);
    };
    // For good: it may fail before whoever relays it listens.
    socket.on('error', () => {});
    socket.on('data', read);
    socket.on('end', failed);
    socket.on('error', failed);
    socket.write(request);
    socket.resume();
    return stop;
  }

  #finish(failure: DialFailure | null): void {
    this.socket.removeAllListeners('connect');
    this.socket.off('error', this.#failed);
    this.#settle(failure);
  }
}

function failureOf(code: string | undefined): DialFailure {
  switch (code) {
    case 'ECONNREFUSED':
      return 'refused';
    case 'ETIMEDOUT':
      return 'timeout';
    case 'ENETUNREACH':
    case 'EHOSTUNREACH':
      return 'unreachable';
    default:
      return 'other';
  }
}
