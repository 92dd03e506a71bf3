import { u8, u16 } from './bytes.ts';
import { type ClientHelloResume, parseClientHello } from './client-hello.ts';
import type { ClientHello } from './hello-body.ts';
import { sameHostname } from './hostname.ts';
import {
  ALERT,
  APPLICATION_DATA,
  CHANGE_CIPHER_SPEC,
  HANDSHAKE,
  isRecordStart,
  MAX_CIPHERTEXT_BYTES,
  MAX_PLAINTEXT_BYTES,
  RECORD_HEADER_BYTES,
} from './record.ts';

/**
 * `name-mismatch`: a later hello names another host, or none, or brings an Encrypted Client Hello that the first
 * did not have. `too-large`: it exceeds the bound. `malformed`: anything else that does not belong here.
 */
export type ClientViolation = 'name-mismatch' | 'malformed' | 'too-large';

export type WatchedBytes =
  /** `bytes` may go upstream now. It may be empty and may be a view of the chunk just pushed. */
  | { readonly kind: 'pass'; readonly bytes: Uint8Array }
  /** Cut the flow. `bytes`: all that was not passed, in order, for a caller who merely observes. */
  | { readonly kind: 'violation'; readonly reason: ClientViolation; readonly bytes: Uint8Array };

const NOTHING = new Uint8Array(0);

/**
 * Watches what a client says after its first ClientHello until the server has chosen (see ServerHelloWatcher),
 * because after a HelloRetryRequest it is the second hello that counts (RFC 8446 §4.1.2). Alerts,
 * change_cipher_spec and early data pass at once; a handshake record must be part of a ClientHello that names the
 * same host, and is held back until that hello is whole.
 */
export class ClientHelloWatcher {
  readonly #first: Pick<ClientHello, 'serverName' | 'ech'>;
  readonly #maxHeld: number;
  /** Bytes not passed yet, from a record boundary on: the first `#filled` of `#buffer`. */
  #buffer: Uint8Array = NOTHING;
  #filled = 0;
  #resume: ClientHelloResume | undefined;
  /** Bytes still to come of a record that passes. */
  #passing = 0;
  #violation: ClientViolation | null = null;

  /** `maxHeld`: the largest later hello that is taken, in bytes with record headers. */
  constructor(first: Pick<ClientHello, 'serverName' | 'ech'>, maxHeld: number) {
    this.#first = first;
    this.#maxHeld = maxHeld;
  }

  /** Number of bytes held back. */
  get held(): number {
    return this.#filled;
  }

  /** Takes the client's next bytes, of any length. After a violation every push is one. */
  push(chunk: Uint8Array): WatchedBytes {
    const bytes = this.#filled === 0 ? chunk : this.#append(chunk);
    if (this.#violation === null) {
      const passed = this.#scan(bytes);
      if (this.#violation === null) {
        this.#hold(bytes, passed);
        return { kind: 'pass', bytes: bytes.subarray(0, passed) };
      }
    }
    this.#clear();
    return { kind: 'violation', reason: this.#violation, bytes };
  }

  /** Ends the watch once the server has chosen: hands out what is still held, to go upstream. */
  release(): Uint8Array {
    const bytes = this.#buffer.subarray(0, this.#filled);
    this.#clear();
    return bytes;
  }

  /** How many of `bytes` may pass; sets `#violation`, `#passing` and `#resume`. */
  #scan(bytes: Uint8Array): number {
    let at = 0;
    while (this.#violation === null) {
      const passing = Math.min(this.#passing, bytes.length - at);
      at += passing;
      this.#passing -= passing;
      if (at === bytes.length) return at;
      if (u8(bytes, at) === HANDSHAKE) {
        const consumed = this.#scanHello(bytes.subarray(at));
        if (consumed === 0) return at;
        at += consumed;
      } else {
        if (!isPassable(bytes, at)) this.#violation = 'malformed';
        if (bytes.length < at + RECORD_HEADER_BYTES) return at;
        this.#passing = RECORD_HEADER_BYTES + u16(bytes, at + 3);
      }
    }
    return at;
  }

  /** Length of the hello that begins `bytes`, 0 while it is incomplete. */
  #scanHello(bytes: Uint8Array): number {
    const hello = parseClientHello(bytes, this.#resume);
    if (hello.kind === 'need-more') {
      if (hello.atLeast > this.#maxHeld) this.#violation = 'too-large';
      this.#resume = hello.resume;
      return 0;
    }
    this.#resume = undefined;
    if (hello.kind !== 'done') this.#violation = 'malformed';
    else if (hello.consumed > this.#maxHeld) this.#violation = 'too-large';
    else if (!this.#agrees(hello)) this.#violation = 'name-mismatch';
    return hello.kind === 'done' ? hello.consumed : 0;
  }

  #agrees(later: ClientHello): boolean {
    const first = this.#first;
    // RFC 8446 §4.1.2 lists what a second hello may change; an Encrypted Client Hello would hide its real name.
    if (later.ech && !first.ech) return false;
    if (first.serverName === null || later.serverName === null) return first.serverName === later.serverName;
    return sameHostname(first.serverName, later.serverName);
  }

  /** The held bytes with `chunk` behind them. Doubles its buffer, so that single bytes cost O(1) each. */
  #append(chunk: Uint8Array): Uint8Array {
    const needed = this.#filled + chunk.length;
    if (needed > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(2 * needed, 1024));
      larger.set(this.#buffer.subarray(0, this.#filled));
      this.#buffer = larger;
    }
    this.#buffer.set(chunk, this.#filled);
    this.#filled = needed;
    return this.#buffer.subarray(0, needed);
  }

  /** Keeps all but the first `passed` bytes, in a buffer of its own: the caller holds a view of the rest. */
  #hold(bytes: Uint8Array, passed: number): void {
    if (passed === bytes.length) {
      this.#clear();
    } else if (passed > 0 || this.#filled === 0) {
      // Not slice: that of a Node Buffer is a view.
      this.#buffer = Uint8Array.from(bytes.subarray(passed));
      this.#filled = this.#buffer.length;
    }
  }

  #clear(): void {
    this.#buffer = NOTHING;
    this.#filled = 0;
    this.#resume = undefined;
  }
}

/** Judges as much as is there of the header of a record that is no handshake record. */
function isPassable(bytes: Uint8Array, at: number): boolean {
  const type = u8(bytes, at);
  const isKnown = type === ALERT || type === CHANGE_CIPHER_SPEC || type === APPLICATION_DATA;
  if (!isKnown || !isRecordStart(bytes, at)) return false;
  if (bytes.length < at + RECORD_HEADER_BYTES) return true;
  const length = u16(bytes, at + 3);
  // Only application data may be empty (RFC 8446 §5.1), and only it is encrypted at this point.
  return type === APPLICATION_DATA
    ? length <= MAX_CIPHERTEXT_BYTES
    : length > 0 && length <= MAX_PLAINTEXT_BYTES;
}
