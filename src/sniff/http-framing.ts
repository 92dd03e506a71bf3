import { valuesOf } from './http-fields.ts';
import type { HeaderField } from './http-line.ts';

/** Why the length of a request's body is not beyond doubt. */
export const FRAMING_FAULTS = {
  'content-length': 'more than one Content-Length, or one that is no plain number (RFC 9112 §6.2)',
  'transfer-encoding':
    'a Transfer-Encoding other than one line that says chunked, or in HTTP/1.0 (RFC 9112 §6.1)',
  'framing-conflict': 'both Content-Length and Transfer-Encoding (RFC 9112 §6.1)',
} as const;

export type FramingFault = keyof typeof FRAMING_FAULTS;

/** How the body of a request is framed; `none` also for a Content-Length of 0. */
export type RequestBody = 'none' | 'length' | 'chunked';

/** The largest lengths that a double counts exactly have 16 digits. */
const LENGTH = /^[0-9]{1,15}$/;

/** Holds the framing of a request to the one reading that no two servers differ on. */
export function readFraming(version: string, fields: readonly HeaderField[]): RequestBody | FramingFault {
  const lengths = valuesOf(fields, 'content-length');
  const codings = valuesOf(fields, 'transfer-encoding');
  if (lengths.length > 0 && codings.length > 0) return 'framing-conflict';
  const [coding] = codings;
  if (coding !== undefined) {
    const isChunked = codings.length === 1 && coding.toLowerCase() === 'chunked' && version === '1.1';
    return isChunked ? 'chunked' : 'transfer-encoding';
  }
  const [length] = lengths;
  if (length === undefined) return 'none';
  if (lengths.length > 1 || !LENGTH.test(length)) return 'content-length';
  return Number(length) === 0 ? 'none' : 'length';
}
