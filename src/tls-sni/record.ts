import { u8 } from './bytes.ts';

/** Content types of TLS records (RFC 8446 §5.1; 24 is RFC 6520). */
export const CHANGE_CIPHER_SPEC = 20;
export const ALERT = 21;
export const HANDSHAKE = 22;
export const APPLICATION_DATA = 23;
const HEARTBEAT = 24;

export const RECORD_HEADER_BYTES = 5;
/** The most a plaintext record may carry, and what encryption may add to it (RFC 8446 §5.1 and §5.2). */
export const MAX_PLAINTEXT_BYTES = 16_384;
export const MAX_CIPHERTEXT_BYTES = MAX_PLAINTEXT_BYTES + 256;

/**
 * Whether what there is of a record header from `at` to `end` (none, some or all of it) can begin a TLS record: a known
 * content type and major version 3, with any minor version (RFC 8446 §5.1 has it ignored).
 */
export function isRecordStart(bytes: Uint8Array, at: number, end = bytes.length): boolean {
  if (end > at) {
    const type = u8(bytes, at);
    if (type < CHANGE_CIPHER_SPEC || type > HEARTBEAT) return false;
  }
  return end <= at + 1 || u8(bytes, at + 1) === 3;
}
