import type { FlowEnd } from '../events.ts';
import type { Timer } from '../timers.ts';
import type { RelayWatch } from '../tls-watch.ts';
import type { RelayContext } from './relay-context.ts';
import type { Socket, SocketOwner } from './socket.ts';
import { Stream } from './stream.ts';

/** A flow gives way to the others after this much a turn and direction. */
const TURN_BYTES = 1024 * 1024;
/** Only a flow that has been quiet for so long needs keepalive; most never are, and save the system calls. */
const KEEPALIVE_AFTER_MS = 60_000;

/** Relays one established flow both ways until both have ended, one was reset, or the watch cuts it. Owns both sockets. */
export class Relay implements SocketOwner {
  readonly #context: RelayContext;
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #out: Stream;
  readonly #in: Stream;
  readonly #done: (end: FlowEnd) => void;
  #watch: RelayWatch | null;
  #idle: Timer;
  /** Quiet for KEEPALIVE_AFTER_MS: `#idle` runs for the rest of the idle timeout. */
  #isQuiet = false;
  #firstFin: FlowEnd | null = null;
  #running = true;
  #queued = false;

  /** `done` is called once; both sockets are closed by then. */
  constructor(
    context: RelayContext,
    client: Socket,
    upstream: Socket,
    watch: RelayWatch | null,
    done: (end: FlowEnd) => void,
  ) {
    this.#context = context;
    this.#client = client;
    this.#upstream = upstream;
    this.#watch = watch;
    this.#done = done;
    this.#out = new Stream(client, upstream, context);
    this.#in = new Stream(upstream, client, context);
    this.#idle = this.#startIdle();
    client.owner = this;
    upstream.owner = this;
  }

  get bytesOut(): number {
    return this.#out.bytes;
  }

  get bytesIn(): number {
    return this.#in.bytes;
  }

  /** Sends `head`, the client's bytes so far, and whatever has arrived meanwhile. */
  start(head: Uint8Array): void {
    this.#out.pending = head.length > 0 ? head : null;
    this.#out.inspect = this.#watch === null ? null : chunk => this.#watch?.fromClient(chunk) ?? null;
    this.#in.inspect = this.#watch === null ? null : chunk => this.#watch?.fromServer(chunk) ?? null;
    this.socketReady();
  }

  socketReady(): void {
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
      this.#context.moved(out.bytes - outBefore, back.bytes - inBefore);
      this.#moved();
    }
    if (this.#watch?.over) {
      this.#watch = null;
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
    if (clientFailed || this.#client.broken) {
      return this.#close(this.#firstFin === 'client_fin' ? 'client_fin' : 'client_reset', 'reset');
    }
    if (back.state === 'source-failed') return this.#close('server_reset', 'reset');
    const upstreamFailed = out.state === 'sink-failed' || this.#upstream.broken;
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

  #startIdle(): Timer {
    const { loop, idleTimeoutMs } = this.#context;
    return idleTimeoutMs <= KEEPALIVE_AFTER_MS
      ? this.#endAfter(idleTimeoutMs)
      : loop.timers.after(KEEPALIVE_AFTER_MS, () => {
          this.#upstream.keepAlive();
          this.#isQuiet = true;
          this.#idle = this.#endAfter(idleTimeoutMs - KEEPALIVE_AFTER_MS);
        });
  }

  #moved(): void {
    if (!this.#isQuiet) return this.#idle.refresh();
    this.#isQuiet = false;
    this.#idle.cancel();
    this.#idle = this.#startIdle();
  }

  #halfClosed(): void {
    this.#isQuiet = false;
    this.#idle.cancel();
    this.#idle = this.#endAfter(this.#context.halfClosedTimeoutMs);
  }

  #endAfter(delayMs: number): Timer {
    return this.#context.loop.timers.after(delayMs, () => this.end('idle_timeout'));
  }

  /** Comes back in the next turn when this one's share was used up. */
  #yield(): void {
    const isDue = this.#out.state === 'yielding' || this.#in.state === 'yielding';
    if (!isDue || this.#queued || !this.#running) return;
    this.#queued = true;
    this.#context.loop.soon(() => {
      this.#queued = false;
      this.#advance();
    });
  }

  #close(end: FlowEnd, how: 'fin' | 'reset'): void {
    if (!this.#running) return;
    this.#running = false;
    this.#idle.cancel();
    this.#out.release();
    this.#in.release();
    for (const socket of [this.#client, this.#upstream]) {
      if (how === 'fin') socket.close();
      else socket.reset();
    }
    this.#done(end);
  }
}
