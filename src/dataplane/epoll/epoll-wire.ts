import type { IpAddress } from '../../policy/address.ts';
import type { DialFailure, FlowEnd } from '../events.ts';
import type { Flow } from '../flow.ts';
import type { FlowWire } from '../flow-table.ts';
import type { Timer } from '../timers.ts';
import type { RelayWatch } from '../tls-watch.ts';
import type { Endpoint } from '../wire.ts';
import { ConnectAttempt } from './connector.ts';
import type { EventLoop } from './loop.ts';
import type { PipePool } from './pipe-pool.ts';
import { Relay } from './relay.ts';
import { END_OF_STREAM, FAILED, type Socket } from './socket.ts';

/** How long a refused client may take to read its refusal and close. */
const LINGER_MS = 1_000;
/** And how much it may still send, in reads. */
const LINGER_READS = 16;

export interface EpollWireOptions {
  readonly loop: EventLoop;
  readonly pipes: PipePool;
  readonly socket: Socket;
  readonly client: Endpoint;
  readonly originalDestination: Endpoint | null;
  readonly idleTimeoutMs: number;
  readonly halfClosedTimeoutMs: number;
  readonly moved: (bytesOut: number, bytesIn: number) => void;
}

/** A flow's wire over raw sockets in an epoll loop. Owns the client's socket, and the upstream's from `relay` on. */
export class EpollWire implements FlowWire<ConnectAttempt> {
  readonly client: Endpoint;
  readonly originalDestination: Endpoint | null;
  readonly relayed = { out: 0, in: 0 };
  readonly #options: EpollWireOptions;
  readonly #socket: Socket;
  #flow: Flow<ConnectAttempt> | null = null;
  #relay: Relay | null = null;
  #reading = false;
  #linger: Timer | null = null;
  #lingerReads = LINGER_READS;

  constructor(options: EpollWireOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.client = options.client;
    this.originalDestination = options.originalDestination;
  }

  attach(flow: Flow<ConnectAttempt>): void {
    this.#flow = flow;
    this.#socket.onReady = () => this.#ready();
  }

  abandon(end: FlowEnd): void {
    if (this.#relay !== null) this.#relay.end(end);
    else this.#flow?.abandon(end);
  }

  readonly connect = (
    ip: IpAddress,
    port: number,
    settle: (failure: DialFailure | null) => void,
  ): ConnectAttempt => new ConnectAttempt(this.#options.loop, ip, port, settle);

  readOn(): void {
    this.#ready();
  }

  /** The socket has never been written to when this is called, so a short answer always fits; else the client is gone. */
  reply(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  relay(
    upstream: ConnectAttempt,
    head: Uint8Array,
    watch: RelayWatch | null,
    done: (end: FlowEnd) => void,
  ): void {
    const { loop, pipes, idleTimeoutMs, halfClosedTimeoutMs, moved } = this.#options;
    if (upstream.socket === null) throw new Error('relay was given an attempt that never had a socket');
    this.#relay = new Relay({
      loop,
      pipes,
      client: this.#socket,
      upstream: upstream.socket,
      head,
      watch,
      idleTimeoutMs,
      halfClosedTimeoutMs,
      moved: (out, back) => {
        this.relayed.out += out;
        this.relayed.in += back;
        moved(out, back);
      },
      done,
    });
    this.#relay.start();
  }

  /**
   * Sends `farewell` and a FIN, then reads on for a moment: closing at once with bytes of the client unread would send
   * a reset, which can overtake the farewell.
   */
  hangUp(farewell: Uint8Array): void {
    if (farewell.length === 0) return this.#socket.close();
    this.#socket.write(farewell);
    this.#socket.finish();
    this.#linger = this.#options.loop.timers.after(LINGER_MS, () => this.#socket.close());
    this.#socket.onReady = () => this.#discard();
    this.#discard();
  }

  reset(): void {
    this.#socket.reset();
  }

  #ready(): void {
    const flow = this.#flow;
    if (flow === null || this.#reading) return;
    if (this.#socket.broken) return flow.clientReset();
    this.#reading = true;
    while (flow.wantsBytes && this.#socket.readable) {
      const count = this.#socket.read();
      if (count > 0) flow.clientBytes(this.#options.loop.scratch.bytes.subarray(0, count));
      else if (count === END_OF_STREAM) flow.clientEnded();
      else if (count === FAILED) flow.clientReset();
    }
    this.#reading = false;
  }

  #discard(): void {
    let count = 1;
    while (count > 0 && this.#socket.readable && this.#lingerReads-- > 0) count = this.#socket.read();
    if (count !== END_OF_STREAM && count !== FAILED && this.#lingerReads > 0) return;
    this.#linger?.cancel();
    this.#socket.close();
  }
}
