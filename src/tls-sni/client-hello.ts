import { u8, u16 } from './bytes.ts';
import type { ClientHelloFault } from './fault.ts';
import { type ClientHello, parseHelloBody } from './hello-body.ts';
import { HANDSHAKE, isRecordStart, MAX_PLAINTEXT_BYTES, RECORD_HEADER_BYTES } from './record.ts';

/**
 * Where a parse stopped. Opaque: hand it to the next call of the same flow, once. It holds copies only, never a
 * view of the caller's bytes.
 */
export interface ClientHelloResume {
  /** Where the first record that was not taken in begins. */
  readonly offset: number;
  /** The handshake bytes of the records before `offset`, in a buffer with room to grow: the first `filled` count. */
  readonly assembled: Uint8Array;
  readonly filled: number;
}

export type ClientHelloResult =
  /** `consumed`: offset just past the record that completes the hello. */
  | ({ readonly kind: 'done'; readonly consumed: number } & ClientHello)
  /**
   * `atLeast`: until `bytes` has this length a call may find a fault, but no hello. It is exact for what is known
   * so far: the end of the record header, then of the handshake header, then the earliest end of the hello. A
   * caller with a size bound refuses at once when `atLeast` exceeds it.
   */
  | { readonly kind: 'need-more'; readonly atLeast: number; readonly resume: ClientHelloResume }
  | { readonly kind: 'malformed'; readonly reason: ClientHelloFault }
  /** The flow does not begin like a TLS record. */
  | { readonly kind: 'not-tls' };

const CLIENT_HELLO = 1;
const MESSAGE_HEADER_BYTES = 4;
const START: ClientHelloResume = { offset: 0, assembled: new Uint8Array(0), filled: 0 };

/**
 * Reads the ClientHello that opens a flow, over any number of TLS records (RFC 8446 §4.1.2 and §5.1).
 *
 * `bytes` is all that the flow has said so far, from its first byte; `resume` comes from the last `need-more` and
 * makes a sequence of calls linear in the flow's bytes. Nothing of `bytes` is kept. A hello in one record is read
 * in place; fragments are copied together. Bounds on size and time are the caller's.
 */
export function parseClientHello(bytes: Uint8Array, resume: ClientHelloResume = START): ClientHelloResult {
  let { offset, assembled, filled } = resume;
  for (;;) {
    const fault = recordFault(bytes, offset);
    if (fault === 'not-tls') return { kind: 'not-tls' };
    if (fault !== null) return malformed(fault);

    const body = offset + RECORD_HEADER_BYTES;
    if (bytes.length < body) {
      const total = messageLength(assembled, filled, bytes, body, 0);
      const atLeast = total === 0 ? body : earliestEnd(offset, total - filled);
      return { kind: 'need-more', atLeast, resume: { offset, assembled, filled } };
    }

    const length = u16(bytes, offset + 3);
    const end = body + length;
    const present = Math.min(bytes.length - body, length);
    if (filled === 0 && present > 0 && u8(bytes, body) !== CLIENT_HELLO) return malformed('handshake-type');
    const total = messageLength(assembled, filled, bytes, body, present);
    const missing = total - filled;
    if (total > 0 && length > missing) return malformed('trailing-bytes');

    if (present < length) {
      const atLeast =
        total === 0
          ? Math.min(end, body + MESSAGE_HEADER_BYTES - filled)
          : earliestEnd(end, missing - length);
      return { kind: 'need-more', atLeast, resume: { offset, assembled, filled } };
    }
    if (length === missing && filled === 0) return finish(bytes, body, end, end);

    assembled = append(assembled, filled, bytes.subarray(body, end));
    filled += length;
    offset = end;
    if (filled === total) return finish(assembled, 0, filled, end);
  }
}

function finish(bytes: Uint8Array, start: number, end: number, consumed: number): ClientHelloResult {
  const hello = parseHelloBody(bytes, start + MESSAGE_HEADER_BYTES, end);
  if (typeof hello === 'string') return malformed(hello);
  const { serverName, alpn, versions, legacyVersion, ech } = hello;
  return { kind: 'done', consumed, serverName, alpn, versions, legacyVersion, ech };
}

function malformed(reason: ClientHelloFault): ClientHelloResult {
  return { kind: 'malformed', reason };
}

/** Judges as much of the record header at `offset` as is there. */
function recordFault(bytes: Uint8Array, offset: number): ClientHelloFault | 'not-tls' | null {
  const isFirst = offset === 0;
  if (!isRecordStart(bytes, offset)) return isFirst ? 'not-tls' : 'interleaved-record';
  // In the first record one byte is too few to tell another TLS record from another protocol.
  if (bytes.length > offset + (isFirst ? 1 : 0) && u8(bytes, offset) !== HANDSHAKE) {
    return isFirst ? 'first-record' : 'interleaved-record';
  }
  if (bytes.length < offset + RECORD_HEADER_BYTES) return null;
  const length = u16(bytes, offset + 3);
  if (length === 0) return 'record-empty';
  return length > MAX_PLAINTEXT_BYTES ? 'record-too-long' : null;
}

/**
 * Length of the handshake message with its header, 0 while the header is incomplete. The message begins with
 * `filled` bytes of `assembled` and goes on with `present` bytes at `body`.
 */
function messageLength(
  assembled: Uint8Array,
  filled: number,
  bytes: Uint8Array,
  body: number,
  present: number,
): number {
  if (filled + present < MESSAGE_HEADER_BYTES) return 0;
  let length = 0;
  for (let i = 1; i < MESSAGE_HEADER_BYTES; i++) {
    length = (length << 8) | (i < filled ? u8(assembled, i) : u8(bytes, body + i - filled));
  }
  return MESSAGE_HEADER_BYTES + length;
}

/** Where `missing` more handshake bytes end when they follow `offset` in the fewest records. */
function earliestEnd(offset: number, missing: number): number {
  return offset + missing + RECORD_HEADER_BYTES * Math.ceil(missing / MAX_PLAINTEXT_BYTES);
}

/** Doubles the buffer when it is full, so that a hello in n fragments costs O(n) copies. */
function append(assembled: Uint8Array, filled: number, fragment: Uint8Array): Uint8Array {
  const needed = filled + fragment.length;
  let target = assembled;
  if (needed > assembled.length) {
    target = new Uint8Array(Math.max(2 * needed, 512));
    target.set(assembled.subarray(0, filled));
  }
  target.set(fragment, filled);
  return target;
}
