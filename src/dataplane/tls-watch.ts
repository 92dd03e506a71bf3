import { type ClientHello, ClientHelloWatcher, ServerHelloWatcher } from '../tls-sni/index.ts';

/** Sees a relayed flow's bytes for as long as they can change what was decided. */
export interface RelayWatch {
  /** Nothing more to see: bytes may go around the watch from now on. */
  readonly over: boolean;
  /** Takes the client's next bytes; returns those that may go upstream now, or null when the flow must be cut. */
  fromClient(chunk: Uint8Array): Uint8Array | null;
  /** The server's next bytes; all of them pass. */
  fromServer(chunk: Uint8Array): Uint8Array;
}

/**
 * Watches a TLS handshake until the server has chosen: after a HelloRetryRequest it is the second ClientHello that
 * counts (RFC 8446 §4.1.2), and it must name the host that was judged. Where it only observes, it notes and passes.
 */
export class TlsWatch implements RelayWatch {
  readonly #client: ClientHelloWatcher;
  readonly #server = new ServerHelloWatcher();
  readonly #cuts: boolean;
  readonly #onViolation: () => void;
  #serverChose = false;
  violated = false;

  /**
   * `maxHeld` bounds the bytes of a second hello that are held back until it is whole; `onViolation` is called once,
   * when one breaks the rule.
   */
  constructor(first: ClientHello, options: { cuts: boolean; maxHeld: number; onViolation: () => void }) {
    this.#client = new ClientHelloWatcher(first, options.maxHeld);
    this.#cuts = options.cuts;
    this.#onViolation = options.onViolation;
  }

  get over(): boolean {
    return (this.#serverChose && this.#client.held === 0) || (this.violated && !this.#cuts);
  }

  fromClient(chunk: Uint8Array): Uint8Array | null {
    if (this.#serverChose) return Buffer.concat([this.#client.release(), chunk]);
    if (this.violated && !this.#cuts) return chunk;
    const watched = this.#client.push(chunk);
    if (watched.kind === 'pass') return watched.bytes;
    if (!this.violated) this.#onViolation();
    this.violated = true;
    return this.#cuts ? null : watched.bytes;
  }

  fromServer(chunk: Uint8Array): Uint8Array {
    if (!this.#serverChose) {
      const opening = this.#server.push(chunk);
      this.#serverChose = opening.kind === 'done' && opening.message === 'server-hello';
    }
    return chunk;
  }
}
