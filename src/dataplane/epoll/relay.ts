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
    const { loop, client, upstream, watch } = options;
    this.#options = options;
    this.#out = new Stream(client, upstream, loop.scratch, options.pipes);
    this.#in = new Stream(upstream, client, loop.scratch, options.pipes);
    this.#out.pending = options.head;
    if (watch !== null) {
      this.#out.inspect = chunk => watch.fromClient(chunk);
      this.#in.inspect = chunk => watch.fromServer(chunk);
    }
    this.#idle = loop.timers.after(options.idleTimeoutMs, () => this.end('idle_timeout'));
    this.#keepalive = loop.timers.after(KEEPALIVE_AFTER_MS, () => upstream.keepAlive());
    client.onReady = () => this.#advance();
    upstream.onReady = () => this.#advance();
  }

  /** Sends the head and whatever has arrived meanwhile. */
  start(): void {
    this.#advance();
  }

  /** Ends the flow now, both sides with a reset. */
  end(end: FlowEnd): void {
    this.#close(end, 'reset');
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
    this.#conclude();
    this.#yield();
  }

  /** Ends the flow when it is through. */
  #conclude(): void {
    const [out, back] = [this.#out, this.#in];
    if (out.state === 'cut' || back.state === 'cut') return this.#close('name_mismatch', 'reset');
    // The client's reset is seen even while a full upstream keeps us from reading. Of the upstream we read on until
    // reading says it: what it sent before its reset still belongs to a slow client.
    const clientFailed = out.state === 'source-failed' || back.state === 'sink-failed';
    if (clientFailed || this.#options.client.broken) {
      return this.#close(this.#firstFin === 'client_fin' ? 'client_fin' : 'client_reset', 'reset');
    }
    if (back.state === 'source-failed') return this.#close('server_reset', 'reset');
    const upstreamFailed = out.state === 'sink-failed' || this.#options.upstream.broken;
    if (upstreamFailed && back.state === 'done') {
      return this.#firstFin === 'server_fin'
        ? this.#close('server_fin', 'fin')
        : this.#close('server_reset', 'reset');
    }
    if (this.#firstFin === null && (out.state === 'done' || back.state === 'done')) {
      this.#firstFin = out.state === 'done' ? 'client_fin' : 'server_fin';
      this.#halfClosed();
    }
    if (out.state === 'done' && back.state === 'done') this.#close(this.#firstFin ?? 'client_fin', 'fin');
  }

  #halfClosed(): void {
    const { loop, halfClosedTimeoutMs } = this.#options;
    this.#idle.cancel();
    this.#idle = loop.timers.after(halfClosedTimeoutMs, () => this.end('idle_timeout'));
  }

  /** Comes back in the next turn when this one's share was used up. */
  #yield(): void {
    const isDue = this.#out.state === 'yielding' || this.#in.state === 'yielding';
    if (!isDue || this.#queued || !this.#running) return;
    this.#queued = true;
    this.#options.loop.soon(() => {
      this.#queued = false;
      this.#advance();
    });
  }

  #close(end: FlowEnd, how: 'fin' | 'reset'): void {
    if (!this.#running) return;
    this.#running = false;
    this.#idle.cancel();
    this.#keepalive.cancel();
    this.#out.release();
    this.#in.release();
    for (const socket of [this.#options.client, this.#options.upstream]) {
      if (how === 'fin') socket.close();
      else socket.reset();
    }
    this.#options.done(end);
  }
}
