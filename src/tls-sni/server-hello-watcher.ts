import { u8, u16 } from './bytes.ts';
import {
  ALERT,
  CHANGE_CIPHER_SPEC,
  HANDSHAKE,
  isRecordStart,
  MAX_PLAINTEXT_BYTES,
  RECORD_HEADER_BYTES,
} from './record.ts';

/** What the server has said so far. */
export type ServerOpening =
  /** The server has not chosen yet; `retried`: it sent a HelloRetryRequest, so a second ClientHello must come. */
  | { readonly kind: 'need-more'; readonly retried: boolean }
  /**
   * `server-hello`: the server chose, further ClientHellos cannot change its mind: watching may end, on both sides.
   * `alert` (not a mere warning) and `other` (no ServerHello where one belongs): no TLS session comes of this, and
   * the client's side should stay under watch.
   */
  | {
      readonly kind: 'done';
      readonly message: 'server-hello' | 'alert' | 'other';
      readonly retried: boolean;
    };

const SERVER_HELLO = 2;
const WARNING = 1;
const MESSAGE_HEADER_BYTES = 4;
/** Handshake header, legacy_version and random: all that tells a HelloRetryRequest from a ServerHello. */
const HELLO_PREFIX_BYTES = MESSAGE_HEADER_BYTES + 2 + 32;
const RANDOM_AT = MESSAGE_HEADER_BYTES + 2;

/** SHA-256 of "HelloRetryRequest" (RFC 8446 §4.1.3). */
const RETRY_RANDOM: readonly number[] = [
  0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2,
  0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/**
 * Follows the server's bytes until it has chosen: a ServerHello that is no HelloRetryRequest. The bytes are
 * relayed as they come; the watcher keeps 43 of them at most, whatever is sent and however it is cut. Skipped on
 * the way: HelloRetryRequests, change_cipher_spec records (middlebox compatibility, RFC 8446 §D.4), warnings
 * (TLS 1.2 servers send unrecognized_name before their ServerHello).
 */
export class ServerHelloWatcher {
  #hasChosen = false;
  #pieces: ServerHelloPieces | null = null;

  /** Takes the server's next bytes, of any length, and says where things stand. After `done` it stays done. */
  push(chunk: Uint8Array): ServerOpening {
    // As nearly all servers begin: read in place, with nothing to be kept.
    this.#hasChosen ||= this.#pieces === null && beginsWithServerHello(chunk);
    if (this.#hasChosen) return CHOSEN;
    this.#pieces ??= new ServerHelloPieces();
    return this.#pieces.push(chunk);
  }
}

const CHOSEN: ServerOpening = { kind: 'done', message: 'server-hello', retried: false };

/** Whether `chunk` holds the start of a ServerHello, as far as its random, in its first record. */
function beginsWithServerHello(chunk: Uint8Array): boolean {
  if (chunk.length < RECORD_HEADER_BYTES + HELLO_PREFIX_BYTES) return false;
  const recordBytes = u16(chunk, 3);
  return (
    u8(chunk, 0) === HANDSHAKE &&
    isRecordStart(chunk, 0) &&
    recordBytes >= HELLO_PREFIX_BYTES &&
    recordBytes <= MAX_PLAINTEXT_BYTES &&
    isServerHello(chunk, RECORD_HEADER_BYTES) &&
    !isRetry(chunk, RECORD_HEADER_BYTES)
  );
}

/** Whether a handshake message at `at`, of which HELLO_PREFIX_BYTES are there, is a ServerHello of sufficient length. */
function isServerHello(bytes: Uint8Array, at: number): boolean {
  return u8(bytes, at) === SERVER_HELLO && MESSAGE_HEADER_BYTES + lengthAt(bytes, at) >= HELLO_PREFIX_BYTES;
}

function isRetry(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < RETRY_RANDOM.length; i++) {
    if (bytes[at + RANDOM_AT + i] !== RETRY_RANDOM[i]) return false;
  }
  return true;
}

/** Length of the body of the handshake message at `at`. */
function lengthAt(bytes: Uint8Array, at: number): number {
  return (u8(bytes, at + 1) << 16) | u16(bytes, at + 2);
}

/** The same for an opening that comes in pieces or begins otherwise. */
class ServerHelloPieces {
  readonly #header = new Uint8Array(RECORD_HEADER_BYTES);
  #headerFilled = 0;
  /** Bytes of the current record still to come. */
  #recordLeft = 0;
  readonly #prefix = new Uint8Array(HELLO_PREFIX_BYTES);
  #prefixFilled = 0;
  /** Bytes of a HelloRetryRequest still to skip. */
  #messageLeft = 0;
  #retried = false;
  #message: 'server-hello' | 'alert' | 'other' | null = null;

  push(chunk: Uint8Array): ServerOpening {
    let at = 0;
    while (this.#message === null && at < chunk.length) {
      at = this.#recordLeft === 0 ? this.#takeHeader(chunk, at) : this.#takeBody(chunk, at);
    }
    return this.#message === null
      ? { kind: 'need-more', retried: this.#retried }
      : { kind: 'done', message: this.#message, retried: this.#retried };
  }

  #takeHeader(chunk: Uint8Array, at: number): number {
    this.#header[this.#headerFilled++] = u8(chunk, at);
    if (!isRecordStart(this.#header, 0, this.#headerFilled)) this.#message = 'other';
    else if (this.#headerFilled === RECORD_HEADER_BYTES) this.#beginRecord();
    return at + 1;
  }

  #beginRecord(): void {
    const type = u8(this.#header, 0);
    const length = u16(this.#header, 3);
    const isExpected = type === HANDSHAKE || type === ALERT || type === CHANGE_CIPHER_SPEC;
    if (!isExpected || length === 0 || length > MAX_PLAINTEXT_BYTES) this.#message = 'other';
    this.#headerFilled = 0;
    this.#recordLeft = length;
  }

  #takeBody(chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.length, at + this.#recordLeft);
    const type = u8(this.#header, 0);
    // The first byte of an alert record is the level; nothing else about it matters here.
    if (type === ALERT && this.#recordLeft === u16(this.#header, 3) && u8(chunk, at) !== WARNING) {
      this.#message = 'alert';
    }
    if (type === HANDSHAKE) this.#takeHandshake(chunk, at, end);
    this.#recordLeft -= end - at;
    return end;
  }

  #takeHandshake(chunk: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end && this.#message === null) {
      if (this.#messageLeft > 0) {
        const skipped = Math.min(this.#messageLeft, end - at);
        this.#messageLeft -= skipped;
        at += skipped;
      } else {
        const taken = Math.min(HELLO_PREFIX_BYTES - this.#prefixFilled, end - at);
        this.#prefix.set(chunk.subarray(at, at + taken), this.#prefixFilled);
        this.#prefixFilled += taken;
        at += taken;
        this.#judgePrefix();
      }
    }
  }

  #judgePrefix(): void {
    const prefix = this.#prefix;
    if (u8(prefix, 0) !== SERVER_HELLO) this.#message = 'other';
    if (this.#message !== null || this.#prefixFilled < HELLO_PREFIX_BYTES) return;
    if (!isServerHello(prefix, 0)) {
      this.#message = 'other';
    } else if (isRetry(prefix, 0)) {
      this.#retried = true;
      this.#messageLeft = MESSAGE_HEADER_BYTES + lengthAt(prefix, 0) - HELLO_PREFIX_BYTES;
      this.#prefixFilled = 0;
    } else {
      this.#message = 'server-hello';
    }
  }
}
