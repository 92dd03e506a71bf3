import { Agent } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { IpAddress } from '../../policy/address.ts';
import { clientHeader } from '../client-header.ts';
import { type Connect, Dial } from '../dial.ts';
import type { DialFailure } from '../events.ts';
import type { RelayedBytes } from '../wire.ts';
import type { HttpOrigin, HttpWorld, SocketAttempt } from './http-world.ts';

/** No upstream could be connected to. */
export class DialError extends Error {
  readonly failure: DialFailure;

  constructor(failure: DialFailure) {
    super(`dial failed: ${failure}`);
    this.failure = failure;
  }
}

export interface UpstreamEvents {
  dialing(): void;
  dialed(ip: IpAddress): void;
}

/**
 * The one connection of a client to one host, as an agent for node:http: kept between requests, dialled again when it
 * has gone. Never shared between clients, so no answer can reach another one.
 */
export class Upstream extends Agent {
  /** Where the next dial goes. */
  addresses: readonly IpAddress[] = [];
  readonly #port: number;
  readonly #origin: HttpOrigin;
  readonly #world: HttpWorld;
  readonly #connect: Connect<SocketAttempt>;
  readonly #events: UpstreamEvents;
  #dial: Dial<SocketAttempt> | null = null;
  #socket: Socket | null = null;
  /** Of earlier connections. */
  #past: RelayedBytes = { out: 0, in: 0 };
  #reported: RelayedBytes = { out: 0, in: 0 };

  constructor(port: number, origin: HttpOrigin, world: HttpWorld, events: UpstreamEvents) {
    super({ keepAlive: true, maxSockets: 1 });
    this.#port = port;
    this.#connect = world.connectFor(origin);
    this.#world = world;
    this.#events = events;
    this.#origin = origin;
  }

  get isConnected(): boolean {
    return this.#socket?.writable ?? false;
  }

  /** Moved over all connections so far; reports what is new to the world's counters. */
  count(): RelayedBytes {
    const { out, in: back } = this.#total();
    this.#world.moved(out - this.#reported.out, back - this.#reported.in);
    this.#reported = { out, in: back };
    return this.#reported;
  }

  /** Called by node:http for a request that finds no kept connection. */
  override createConnection(
    _options: unknown,
    connected?: (error: Error | null, stream: Duplex) => void,
  ): null {
    this.#events.dialing();
    this.#dial = new Dial<SocketAttempt>({
      addresses: this.addresses,
      port: this.#port,
      connect: this.#connect,
      timers: this.#world.timers,
      timeoutMs: this.#world.settings.dialTimeoutMs,
      done: outcome => {
        this.#dial = null;
        // The type wants a stream beside an error; nobody looks at it.
        if (!outcome.ok) return connected?.(new DialError(outcome.failure), new Socket());
        this.#events.dialed(outcome.ip);
        this.#begin(this.#adopt(outcome.attempt.socket), this.#headerTo(outcome.ip), connected);
      },
    });
    return null;
  }

  /** Ends the connection, or the dial. */
  override destroy(): void {
    this.#dial?.cancel();
    this.#dial = null;
    this.count();
    super.destroy();
    this.#socket?.destroy();
  }

  /** Gives the connection up to whoever relays it from now on. */
  release(): Socket | null {
    this.count();
    this.#past = this.#total();
    const socket = this.#socket;
    this.#socket = null;
    return socket;
  }

  /** What the upstream is told of the client before the first request. */
  #headerTo(ip: IpAddress): Uint8Array {
    const { listener, client, originalDestination } = this.#origin;
    return clientHeader(listener, client, originalDestination ?? { ip, port: this.#port });
  }

  /** Lets node:http have the connection; what it writes at once goes into one segment with the header. */
  #begin(
    socket: Socket,
    header: Uint8Array,
    connected?: (error: Error | null, stream: Duplex) => void,
  ): void {
    if (header.length === 0) return connected?.(null, socket);
    socket.cork();
    socket.write(header);
    connected?.(null, socket);
    process.nextTick(() => socket.uncork());
  }

  #adopt(socket: Socket): Socket {
    this.#past = this.#total();
    this.#socket = socket;
    // An upstream that has finished is finished: there is no half-open HTTP.
    socket.allowHalfOpen = false;
    socket.on('error', ignore);
    // Once node:http listens: it does so in the next tick, before anything can have been read.
    socket.resume();
    return socket;
  }

  #total(): RelayedBytes {
    return {
      out: this.#past.out + (this.#socket?.bytesWritten ?? 0),
      in: this.#past.in + (this.#socket?.bytesRead ?? 0),
    };
  }
}

function ignore(): void {}
