import { latin1, u8 } from '../tls-sni/bytes.ts';
import type { RequestHeadFault } from './http-fault.ts';
import { type HeaderField, parseHeaderLine, parseRequestLine, type RequestLine } from './http-line.ts';

/** A whole request head. Target and values are one character a byte: hostile text until judged or escaped. */
export interface RequestHead extends RequestLine {
  /** In the order and with the repetitions of the wire. */
  readonly headers: readonly HeaderField[];
  /** Offset just past the empty line. */
  readonly consumed: number;
}

/** Where a parse stopped. Opaque: hand it to the next call of the same flow, once. It holds no view of the bytes. */
export interface RequestHeadResume {
  readonly lineStart: number;
  /** Bytes before this one are known to be good. */
  readonly scanned: number;
  readonly requestLine: RequestLine | null;
  readonly headers: HeaderField[];
}

export type RequestHeadResult =
  | ({ readonly kind: 'done' } & RequestHead)
  | { readonly kind: 'need-more'; readonly resume: RequestHeadResume }
  | { readonly kind: 'malformed'; readonly reason: RequestHeadFault }
  | { readonly kind: 'too-large' };

export interface RequestHeadLimits {
  /** The whole head with its empty line. */
  readonly maxBytes: number;
  /** The request line and the header lines. */
  readonly maxLines: number;
}

export const DEFAULT_HEAD_LIMITS: RequestHeadLimits = { maxBytes: 16_384, maxLines: 100 };

const CR = 0x0d;
const LF = 0x0a;
const TAB = 0x09;

/**
 * Reads an HTTP/1.x request head (RFC 9112 §2 to §5), stricter than the RFC lets a server be: CRLF only, no
 * folding, no empty line in front. `bytes` is all that came since the head began; `resume` comes from the last
 * `need-more` and makes a sequence of calls linear. A fault is told as soon as its byte is there.
 */
export function parseRequestHead(
  bytes: Uint8Array,
  resume?: RequestHeadResume,
  limits: RequestHeadLimits = DEFAULT_HEAD_LIMITS,
): RequestHeadResult {
  let { lineStart = 0, scanned = 0, requestLine = null, headers = [] } = resume ?? {};
  for (; scanned < bytes.length; scanned++) {
    if (scanned >= limits.maxBytes) return { kind: 'too-large' };
    const byte = u8(bytes, scanned);
    if (byte !== LF) {
      const fault = byteFault(bytes, scanned, byte);
      if (fault !== null) return { kind: 'malformed', reason: fault };
      continue;
    }
    if (bytes[scanned - 1] !== CR) return { kind: 'malformed', reason: 'line-end' };
    const line = latin1(bytes, lineStart, scanned - 1);
    lineStart = scanned + 1;
    if (requestLine === null) {
      const parsed = parseRequestLine(line);
      if (typeof parsed === 'string') return { kind: 'malformed', reason: parsed };
      requestLine = parsed;
    } else if (line === '') {
      return { kind: 'done', ...requestLine, headers, consumed: lineStart };
    } else {
      if (headers.length + 1 >= limits.maxLines) return { kind: 'too-large' };
      const parsed = parseHeaderLine(line);
      if (typeof parsed === 'string') return { kind: 'malformed', reason: parsed };
      headers.push(parsed);
    }
  }
  if (scanned >= limits.maxBytes) return { kind: 'too-large' };
  return { kind: 'need-more', resume: { lineStart, scanned, requestLine, headers } };
}

/** Judges a byte that is no line feed: a carriage return may only be followed by one. */
function byteFault(bytes: Uint8Array, at: number, byte: number): RequestHeadFault | null {
  if (at > 0 && bytes[at - 1] === CR) return 'line-end';
  if (byte === CR || byte === TAB) return null;
  return byte < 0x20 || byte === 0x7f ? 'control-byte' : null;
}
