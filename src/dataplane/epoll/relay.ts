import type { FlowEnd } from '../events.ts';
import type { Timer } from '../timers.ts';
import type { RelayWatch } from '../tls-watch.ts';
import type { EventLoop } from './loop.ts';
import type { PipePool } from './pipe-pool.ts';
import type { Socket } from './socket.ts';
import { Stream } from './stream.ts';

/** A flow gives way to the others after this much a turn and direction. */
const TURN_BYTES = 1024 * 1024;
/** Most flows are over by then, and save the system calls. */
const KEEPALIVE_AFTER_MS = 60_000;

export interface RelayOptions {
  readonly loop: EventLoop;
  readonly pipes: PipePool;
  readonly client: Socket;
  readonly upstream: Socket;
  /** The client's bytes so far: sent first. */
  readonly head: Uint8Array;
  readonly watch: RelayWatch | null;
  readonly idleTimeoutMs: number;
  readonly halfClosedTimeoutMs: number;
  /** Told what has moved since the last call, as it moves. */
  readonly moved: (bytesOut: number, bytesIn: number) => void;
  /** Called once; both sockets are closed by then. */
  readonly done: (end: FlowEnd) => void;
}

/** Relays one established flow both ways until both have ended, one was reset, or the watch cuts it. Owns both sockets. */
export class Relay {
  readonly #options: RelayOptions;
  readonly #out: Stream;
  readonly #in: Stream;
  readonly #keepalive: Timer;
  #idle: Timer;
  #firstFin: FlowEnd | null = null;
  #running = true;
  #queued = false;

  constructor(options: RelayOptions) {
    const { loop, pipes, client, upstream, watch } = options;
    this.#options = options;
    const shared = { scratch: loop.scratch, pipes };
    this.#out = new Stream({
      ...shared,
      source: client,
      sink: upstream,
      head: options.head,
      inspect: watch === null ? null : chunk => watch.fromClient(chunk),
    });
    this.#in = new Stream({
      ...shared,
      source: upstream,
      sink: client,
      head: null,
      inspect: watch === null ? null : chunk => watch.fromServer(chunk),
    });
    this.#idle = loop.timers.after(options.idleTimeoutMs, () => this.end('idle_timeout'));
    this.#keepalive = loop.timers.after(KEEPALIVE_AFTER_MS, () => upstream.keepAlive());
    client.onReady = () => this.#advance();
    upstream.onReady = () => this.#advance();
  }

  /** Sends the head and whatever has arrived meanwhile. */
  start(): void {
    this.#advance();
  }

  /** Ends the flow now: an end that one side caused by a reset is passed to the other as a reset, as is any other early one. */
  end(end: FlowEnd): void {
    if (!this.#running) return;
    this.#running = false;
    this.#idle.cancel();
    this.#keepalive.cancel();
    this.#out.release();
    this.#in.release();
    const { client, upstream } = this.#options;
    if (end === 'client_fin' || end === 'server_fin') {
      client.close();
      upstream.close();
    } else {
      client.reset();
      upstream.reset();
    }
    this.#options.done(end);
  }

  #advance(): void {
    if (!this.#running) return;
    const [out, back] = [this.#out, this.#in];
    const [outBefore, inBefore] = [out.bytes, back.bytes];
    out.move(TURN_BYTES, back.state === 'done');
    back.move(TURN_BYTES, out.state === 'done');
    if (out.bytes !== outBefore || back.bytes !== inBefore) {
      this.#options.moved(out.bytes - outBefore, back.bytes - inBefore);
      this.#idle.refresh();
    }
    if (this.#options.watch?.over) {
      out.inspect = null;
      back.inspect = null;
    }
    const end = this.#outcome();
    if (end !== null) this.end(end);
    else this.#goOn();
  }

  /** How the flow ended, or null while it goes on. */
  #outcome(): FlowEnd | null {
    const [out, back] = [this.#out, this.#in];
    if (out.state === 'cut' || back.state === 'cut') return 'name_mismatch';
    if (out.state === 'source-failed' || back.state === 'sink-failed') return 'client_reset';
    if (back.state === 'source-failed') return 'server_reset';
    // The server takes no more, but what it said before must still reach the client.
    if (out.state === 'sink-failed') return back.state === 'done' ? 'server_reset' : null;
    // Seen even while a full upstream keeps us from reading. Of the upstream we read on until reading says it: what
    // it sent before its reset still belongs to a slow client.
    if (this.#options.client.broken) return 'client_reset';
    if (this.#firstFin === null && (out.state === 'done' || back.state === 'done')) {
      this.#firstFin = out.state === 'done' ? 'client_fin' : 'server_fin';
      if (!(out.isOver && back.isOver)) this.#halfClosed();
    }
    return out.state === 'done' && back.state === 'done' ? this.#firstFin : null;
  }

  #halfClosed(): void {
    const { loop, halfClosedTimeoutMs } = this.#options;
    this.#idle.cancel();
    this.#idle = loop.timers.after(halfClosedTimeoutMs, () => this.end('idle_timeout'));
  }

  #goOn(): void {
    const yielding = this.#out.state === 'yielding' || this.#in.state === 'yielding';
    if (!yielding || this.#queued) return;
    this.#queued = true;
    this.#options.loop.soon(() => {
      this.#queued = false;
      this.#advance();
    });
  }
}
