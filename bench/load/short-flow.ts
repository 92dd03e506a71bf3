import { ConnectAttempt } from '../../src/dataplane/epoll/connector.ts';
import type { EventLoop } from '../../src/dataplane/epoll/loop.ts';
import { END_OF_STREAM, FAILED, type Socket, type SocketOwner } from '../../src/dataplane/epoll/socket.ts';
import type { IpAddress } from '../../src/policy/address.ts';
import { benchAnswer, benchHello, HEAD_END } from './conversation.ts';

const HELLO = benchHello();
const ANSWER_BYTES = benchAnswer().length;

/** Whoever started a flow. */
export interface FlowKeeper {
  readonly loop: EventLoop;
  /** What goes before the hello and is answered by a head of its own; null: nothing does. */
  readonly request: Buffer | null;
  /** The first byte of the answer is there. */
  answering(flow: ShortFlow): void;
  /** The whole answer is there, and the socket the keeper's. */
  answered(flow: ShortFlow, socket: Socket): void;
  /** It is closed. */
  failed(flow: ShortFlow): void;
}

/** One flow of the load, up to its answer. */
export class ShortFlow implements SocketOwner {
  /** When it was to start, by the clock of the keeper. */
  readonly dueMs: number;
  readonly #keeper: FlowKeeper;
  #socket: Socket | null = null;
  #isTunnelOpen: boolean;
  #received = 0;

  constructor(keeper: FlowKeeper, ip: IpAddress, port: number, dueMs: number) {
    this.dueMs = dueMs;
    this.#keeper = keeper;
    this.#isTunnelOpen = keeper.request === null;
    const attempt = new ConnectAttempt(keeper.loop, ip, port, failure => {
      if (failure === null && attempt.socket !== null) this.#converse(attempt.socket);
      else keeper.failed(this);
    });
  }

  socketReady(): void {
    const socket = this.#socket;
    while (socket?.readable) {
      const count = socket.read();
      if (count === END_OF_STREAM || count === FAILED) {
        socket.close();
        return this.#keeper.failed(this);
      }
      if (count <= 0) continue;
      if (this.#isTunnelOpen) {
        if (this.#take(count)) return this.#keeper.answered(this, socket);
      } else if (this.#keeper.loop.scratch.bytes.subarray(0, count).includes(HEAD_END)) {
        this.#isTunnelOpen = true;
        socket.write(HELLO);
      }
    }
  }

  #converse(socket: Socket): void {
    this.#socket = socket;
    socket.owner = this;
    socket.write(this.#keeper.request ?? HELLO);
    this.socketReady();
  }

  #take(count: number): boolean {
    if (this.#received === 0) this.#keeper.answering(this);
    this.#received += count;
    return this.#received >= ANSWER_BYTES;
  }
}
