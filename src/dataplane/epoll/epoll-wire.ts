import type { IpAddress } from '../../policy/address.ts';
import type { DialFailure, FlowEnd } from '../events.ts';
import type { FlowWire } from '../flow-table.ts';
import type { Timer } from '../timers.ts';
import type { RelayWatch } from '../tls-watch.ts';
import type { Client, Endpoint, RelayedBytes, WireUser } from '../wire.ts';
import { ConnectAttempt } from './connector.ts';
import { plainClient, plainEndpoint } from './messages.ts';
import type { ReadAhead } from './read-ahead.ts';
import { Relay } from './relay.ts';
import type { RelayContext } from './relay-context.ts';
import { END_OF_STREAM, FAILED, type Socket, type SocketOwner, WOULD_BLOCK } from './socket.ts';

/** How long a refused client may take to read its refusal and close. */
const LINGER_MS = 1_000;
/** And how much it may still send, in reads. */
const LINGER_READS = 16;

const NONE: RelayedBytes = { out: 0, in: 0 };

/** A flow's wire over raw sockets in an epoll loop. Owns the client's socket, and the upstream's from `relay` on. */
export class EpollWire implements FlowWire<ConnectAttempt>, SocketOwner {
  #client: Client;
  #originalDestination: Endpoint | null;
  readonly #context: RelayContext;
  readonly #socket: Socket;
  readonly #keepsSource: boolean;
  readonly #listener: number;
  #user: WireUser | null = null;
  #relay: Relay | null = null;
  #isReading = false;
  #linger: Timer | null = null;
  #lingerReads = LINGER_READS;
  /** Moved before the relay. */
  #asked: RelayedBytes = NONE;

  /** `listener`: the index of the one it came in by. `keepsSource`: upstreams are to see the client's address. */
  constructor(
    context: RelayContext,
    socket: Socket,
    client: Endpoint,
    originalDestination: Endpoint | null,
    listener: number,
    keepsSource: boolean,
  ) {
    this.#listener = listener;
    this.#context = context;
    this.#keepsSource = keepsSource;
    this.#socket = socket;
    this.#client = client;
    this.#originalDestination = originalDestination;
  }

  get client(): Client {
    return this.#client;
  }

  get originalDestination(): Endpoint | null {
    return this.#originalDestination;
  }

  get relayed(): RelayedBytes {
    const { out, in: back } = this.#asked;
    return { out: out + (this.#relay?.bytesOut ?? 0), in: back + (this.#relay?.bytesIn ?? 0) };
  }

  attach(user: WireUser): void {
    this.#user = user;
    this.#socket.owner = this;
  }

  /** To be called once, when the flow has started: from now on its user hears of the client. */
  begin(ahead: ReadAhead): void {
    if (this.#user?.wantsBytes === true && ahead.isWorthIt()) {
      if (this.#readFor(this.#user) === WOULD_BLOCK) ahead.foundNothing();
    }
    if (!this.#socket.watch()) this.#user?.clientReset();
  }

  speakFor(client: Client, originalDestination: Endpoint | null): void {
    this.#client = client;
    this.#originalDestination = originalDestination;
  }

  abandon(end: FlowEnd): void {
    if (this.#relay !== null) this.#relay.end(end);
    else this.#user?.abandon(end);
  }

  connect(
    ip: IpAddress,
    port: number,
    settle: (failure: DialFailure | null) => void,
    sendsFirst: boolean,
  ): ConnectAttempt {
    const from = this.#keepsSource ? this.#client.ip : null;
    return new ConnectAttempt(this.#context.loop, ip, port, settle, { from, sendsFirst });
  }

  ask(
    upstream: ConnectAttempt,
    request: Uint8Array,
    answered: (answer: Uint8Array | null) => void,
  ): () => void {
    return upstream.ask(request, answer => {
      const moved = { out: request.length, in: answer?.length ?? 0 };
      this.#asked = { out: this.#asked.out + moved.out, in: this.#asked.in + moved.in };
      this.#context.moved(moved.out, moved.in);
      answered(answer);
    });
  }

  socketReady(): void {
    if (this.#linger === null) this.readOn();
    else this.#discard();
  }

  readOn(): void {
    if (this.#user === null || this.#isReading) return;
    if (this.#socket.broken) return this.#user.clientReset();
    this.#isReading = true;
    // Whoever is told may give way to another, who is told the rest.
    while (this.#socket.readable && this.#user?.wantsBytes === true) this.#readFor(this.#user);
    this.#isReading = false;
  }

  #readFor(user: WireUser): number {
    const count = this.#socket.read();
    if (count > 0) user.clientBytes(this.#context.loop.scratch.bytes.subarray(0, count));
    else if (count === END_OF_STREAM) user.clientEnded();
    else if (count === FAILED) user.clientReset();
    return count;
  }

  /** So little has been written when this is called that a short answer always fits; else the client is gone. */
  reply(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  relay(
    upstream: ConnectAttempt,
    head: Uint8Array,
    watch: RelayWatch | null,
    done: (end: FlowEnd) => void,
  ): void {
    if (upstream.socket === null) throw new Error('relay was given an attempt that never had a socket');
    this.#user = null;
    this.#relay = new Relay(this.#context, this.#socket, upstream.socket, watch, done);
    this.#relay.start(head);
  }

  handOver(opening: Uint8Array, done: () => void): void {
    this.#user = null;
    const connection = {
      fd: this.#socket.release(),
      opening: Uint8Array.from(opening),
      listener: this.#listener,
      client: plainClient(this.#client),
      originalDestination:
        this.#originalDestination === null ? null : plainEndpoint(this.#originalDestination),
    };
    // As with a close: not before the batch of events is through, or its number might be in use again.
    this.#context.loop.soon(() => this.#context.handOver(connection, done));
  }

  /**
   * Sends `farewell` and a FIN, then reads on for a moment: closing at once with bytes of the client unread would send
   * a reset, which can overtake the farewell.
   */
  hangUp(farewell: Uint8Array): void {
    if (farewell.length === 0) return this.#socket.close();
    this.#socket.write(farewell);
    this.#socket.finish();
    this.#linger = this.#context.loop.timers.after(LINGER_MS, () => this.#socket.close());
    this.#discard();
  }

  reset(): void {
    this.#socket.reset();
  }

  #discard(): void {
    let count = 1;
    while (count > 0 && this.#socket.readable && this.#lingerReads-- > 0) count = this.#socket.read();
    if (count !== END_OF_STREAM && count !== FAILED && this.#lingerReads > 0) return;
    this.#linger?.cancel();
    this.#socket.close();
  }
}
