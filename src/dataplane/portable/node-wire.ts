import type { Socket } from 'node:net';
import type { IpAddress } from '../../policy/address.ts';
import type { Connect } from '../dial.ts';
import type { DialFailure, FlowEnd } from '../events.ts';
import type { FlowWire } from '../flow-table.ts';
import type { RelayWatch } from '../tls-watch.ts';
import type { Client, Endpoint, WireUser } from '../wire.ts';
import type { NodeAttempt } from './node-attempt.ts';
import { NodeRelay } from './node-relay.ts';

const LINGER_MS = 1_000;

export interface NodeWireOptions {
  readonly socket: Socket;
  readonly client: Client;
  /** Where the client was going, if it did not come to us directly. */
  readonly originalDestination: Endpoint | null;
  readonly idleTimeoutMs: number;
  readonly halfClosedTimeoutMs: number;
  readonly moved: (bytesOut: number, bytesIn: number) => void;
  readonly connect: Connect<NodeAttempt>;
  /** Serves plain HTTP: see `Wire.handOver`. The socket is paused and has no listeners. Null where it came from there. */
  readonly handOver: ((opening: Uint8Array, client: Client, done: () => void) => void) | null;
}

/** A flow's wire over a `node:net` socket. Owns the client's socket, and the upstream's from `relay` on. */
export class NodeWire implements FlowWire<NodeAttempt> {
  readonly relayed = { out: 0, in: 0 };
  readonly #options: NodeWireOptions;
  readonly #socket: Socket;
  #client: Client;
  #originalDestination: Endpoint | null;
  #user: WireUser | null = null;
  #relay: NodeRelay | null = null;
  #ended: boolean;

  constructor(options: NodeWireOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.#client = options.client;
    this.#originalDestination = options.originalDestination;
    this.#ended = options.socket.readableEnded;
  }

  get client(): Client {
    return this.#client;
  }

  get originalDestination(): Endpoint | null {
    return this.#originalDestination;
  }

  attach(user: WireUser): void {
    const isListening = this.#user !== null;
    this.#user = user;
    if (isListening) return;
    this.#socket.on('data', (chunk: Buffer) => {
      this.#user?.clientBytes(chunk);
      if (this.#user?.wantsBytes === false) this.#socket.pause();
    });
    this.#socket.on('end', () => {
      this.#ended = true;
      if (this.#user?.wantsBytes) this.#user.clientEnded();
    });
    this.#socket.on('error', () => this.#user?.clientReset());
  }

  speakFor(client: Client, originalDestination: Endpoint | null): void {
    this.#client = client;
    this.#originalDestination = originalDestination;
  }

  abandon(end: FlowEnd): void {
    if (this.#relay !== null) this.#relay.end(end);
    else this.#user?.abandon(end);
  }

  connect(ip: IpAddress, port: number, settle: (failure: DialFailure | null) => void): NodeAttempt {
    return this.#options.connect(ip, port, settle);
  }

  ask(upstream: NodeAttempt, request: Uint8Array, answered: (answer: Uint8Array | null) => void): () => void {
    return upstream.ask(request, answer => {
      this.#moved(request.length, answer?.length ?? 0);
      answered(answer);
    });
  }

  readOn(): void {
    if (this.#ended) this.#user?.clientEnded();
    else this.#socket.resume();
  }

  reply(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  relay(
    upstream: NodeAttempt,
    head: Uint8Array,
    watch: RelayWatch | null,
    done: (end: FlowEnd) => void,
  ): void {
    this.#socket.removeAllListeners();
    const { idleTimeoutMs, halfClosedTimeoutMs } = this.#options;
    this.#relay = new NodeRelay({
      client: this.#socket,
      upstream: upstream.socket,
      clientEnded: this.#ended,
      head,
      watch,
      idleTimeoutMs,
      halfClosedTimeoutMs,
      moved: (out, back) => this.#moved(out, back),
      done,
    });
    this.#relay.start();
  }

  handOver(opening: Uint8Array, done: () => void): void {
    const { handOver } = this.#options;
    if (handOver === null) throw new Error('what was not served as plain HTTP is handed over again');
    this.#user = null;
    this.#socket.pause();
    this.#socket.removeAllListeners();
    handOver(opening, this.#client, done);
  }

  hangUp(farewell: Uint8Array): void {
    this.#release();
    if (farewell.length === 0) {
      this.#socket.destroy();
      return;
    }
    const linger = setTimeout(() => this.#socket.destroy(), LINGER_MS);
    this.#socket.on('close', () => clearTimeout(linger));
    this.#socket.on('end', () => this.#socket.destroy());
    this.#socket.end(farewell);
    this.#socket.resume();
  }

  reset(): void {
    this.#release();
    this.#socket.resetAndDestroy();
  }

  #moved(out: number, back: number): void {
    this.relayed.out += out;
    this.relayed.in += back;
    this.#options.moved(out, back);
  }

  #release(): void {
    this.#socket.removeAllListeners();
    this.#socket.on('error', () => {});
  }
}
