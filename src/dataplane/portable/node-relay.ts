import type { Socket } from 'node:net';
import type { FlowEnd } from '../events.ts';
import { nodeTimers, type Timer } from '../timers.ts';
import type { RelayWatch } from '../tls-watch.ts';

export interface NodeRelayOptions {
  readonly client: Socket;
  readonly upstream: Socket;
  /** Whether the client's FIN has been read already. */
  readonly clientEnded: boolean;
  readonly head: Uint8Array;
  readonly watch: RelayWatch | null;
  readonly idleTimeoutMs: number;
  readonly halfClosedTimeoutMs: number;
  readonly moved: (bytesOut: number, bytesIn: number) => void;
  readonly done: (end: FlowEnd) => void;
}

/** Relays one established flow over `node:net`: the counterpart of the epoll plane's Relay, to the letter of its behaviour. */
export class NodeRelay {
  readonly #options: NodeRelayOptions;
  #idle: Timer;
  #firstFin: FlowEnd | null = null;
  #fins = 0;
  #running = true;

  constructor(options: NodeRelayOptions) {
    const { client, upstream, watch } = options;
    this.#options = options;
    this.#idle = nodeTimers.after(options.idleTimeoutMs, () => this.end('idle_timeout'));
    client.on('error', () => this.end(this.#firstFin === 'client_fin' ? 'client_fin' : 'client_reset'));
    upstream.on('error', () => {
      if (this.#firstFin === 'server_fin') this.#close('server_fin', 'fin');
      else this.#close('server_reset', 'reset');
    });
    this.#pump(client, upstream, chunk => {
      const passed = watch === null || watch.over ? chunk : watch.fromClient(chunk);
      options.moved(passed?.length ?? 0, 0);
      return passed;
    });
    this.#pump(upstream, client, chunk => {
      options.moved(0, chunk.length);
      return watch === null || watch.over ? chunk : watch.fromServer(chunk);
    });
    client.on('end', () => this.#ended('client_fin', upstream));
    upstream.on('end', () => this.#ended('server_fin', client));
  }

  start(): void {
    const { client, upstream, head, clientEnded, moved } = this.#options;
    // Both may have happened since it was connected, while nobody listened.
    if (upstream.destroyed) return this.end('server_reset');
    if (upstream.readableEnded) this.#ended('server_fin', client);
    if (head.length > 0) {
      upstream.write(head);
      moved(head.length, 0);
    }
    if (clientEnded) this.#ended('client_fin', upstream);
    client.resume();
    upstream.resume();
  }

  /** Ends the flow now, both sides with a reset. */
  end(end: FlowEnd): void {
    this.#close(end, 'reset');
  }

  #close(end: FlowEnd, how: 'fin' | 'reset'): void {
    if (!this.#running) return;
    this.#running = false;
    this.#idle.cancel();
    const { client, upstream, done } = this.#options;
    for (const socket of [client, upstream]) {
      socket.removeAllListeners();
      socket.on('error', () => {});
      if (how === 'fin') socket.destroy();
      else socket.resetAndDestroy();
    }
    done(end);
  }

  #pump(source: Socket, sink: Socket, inspect: (chunk: Uint8Array) => Uint8Array | null): void {
    source.on('data', (chunk: Buffer) => {
      this.#idle.refresh();
      const passed = inspect(chunk);
      if (passed === null) return this.end('name_mismatch');
      // What the watch passes may be memory that it goes on using.
      if (passed.length > 0 && !sink.write(passed === chunk ? passed : Uint8Array.from(passed)))
        source.pause();
    });
    sink.on('drain', () => {
      this.#idle.refresh();
      source.resume();
    });
  }

  /** One side has said all: pass the end on, and finish when both have and all is written. */
  #ended(fin: FlowEnd, sink: Socket): void {
    this.#firstFin ??= fin;
    const first = this.#firstFin;
    if (this.#fins === 0) {
      this.#idle.cancel();
      this.#idle = nodeTimers.after(this.#options.halfClosedTimeoutMs, () => this.end('idle_timeout'));
    }
    sink.end(() => {
      this.#fins++;
      if (this.#fins === 2) this.#close(first, 'fin');
    });
  }
}
