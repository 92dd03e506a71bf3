import { u8, u16 } from '../tls-sni/bytes.ts';

/** Why a PostgreSQL client's request for encryption is refused: the closed list behind `detail`. */
export const POSTGRES_FAULTS = {
  'bytes-before-answer': 'bytes follow the request for encryption that were sent before its answer',
  'repeated-request': 'another request for encryption follows the one for TLS',
} as const;

export type PostgresFault = keyof typeof POSTGRES_FAULTS;

/** SSLRequest and GSSENCRequest: the client asks, in the clear, whether it may go on encrypted. */
export type EncryptionRequest = 'ssl' | 'gssenc';

export type PostgresOpening =
  | { readonly kind: 'need-more' }
  /** A request of 8 bytes. The server answers with one byte. */
  | { readonly kind: 'request'; readonly request: EncryptionRequest }
  /** A StartupMessage or a CancelRequest: the client goes on in the clear. */
  | { readonly kind: 'cleartext' }
  | { readonly kind: 'not-postgres' };

export const ENCRYPTION_REQUEST_BYTES = 8;

const SSL_REQUEST = 80877103;
const GSSENC_REQUEST = 80877104;
const CANCEL_REQUEST = 80877102;
const PROTOCOL_MAJOR = 3;
/** MAX_STARTUP_PACKET_LENGTH of the server. */
const MAX_BYTES = 10_000;

/**
 * Tells what a PostgreSQL client begins with (PostgreSQL 17 §53.7): a length of 32 bits that counts itself, and a code.
 * `bytes` is all that came so far.
 */
export function parsePostgresOpening(bytes: Uint8Array): PostgresOpening {
  if (u16(bytes, 0) !== 0) return { kind: 'not-postgres' };
  if (bytes.length < 4) return { kind: 'need-more' };
  const length = u16(bytes, 2);
  if (length < ENCRYPTION_REQUEST_BYTES || length > MAX_BYTES) return { kind: 'not-postgres' };
  if (bytes.length < ENCRYPTION_REQUEST_BYTES) return { kind: 'need-more' };
  const code = u16(bytes, 4) * 0x10000 + u16(bytes, 6);
  if (code === SSL_REQUEST || code === GSSENC_REQUEST) {
    if (length !== ENCRYPTION_REQUEST_BYTES) return { kind: 'not-postgres' };
    return { kind: 'request', request: code === SSL_REQUEST ? 'ssl' : 'gssenc' };
  }
  const isCleartext = u16(bytes, 4) === PROTOCOL_MAJOR || code === CANCEL_REQUEST;
  return { kind: isCleartext ? 'cleartext' : 'not-postgres' };
}

/** The request as it stands on the wire. */
export function encryptionRequest(request: EncryptionRequest): Uint8Array {
  const bytes = new Uint8Array(ENCRYPTION_REQUEST_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, ENCRYPTION_REQUEST_BYTES);
  view.setUint32(4, request === 'ssl' ? SSL_REQUEST : GSSENC_REQUEST);
  return bytes;
}

const YES = 'S'.charCodeAt(0);
const NO = 'N'.charCodeAt(0);

/** The answer to a request for encryption: yes to TLS, no to either. */
export function encryptionAnswer(isAgreed: boolean): Uint8Array {
  return Uint8Array.of(isAgreed ? YES : NO);
}

/**
 * Reads what a server says first after a request for encryption. `other` is anything but one byte, yes or no: yes to
 * GSS, an error in words, or bytes that were pushed in behind the answer (CVE-2021-23222).
 */
export function readEncryptionAnswer(bytes: Uint8Array | null): 'yes' | 'no' | 'other' {
  if (bytes?.length !== 1) return 'other';
  if (u8(bytes, 0) === YES) return 'yes';
  return u8(bytes, 0) === NO ? 'no' : 'other';
}

/**
 * An ErrorResponse (§53.7) that ends a session before it has begun. `message` and `hint` must hold no NUL.
 * 28000: invalid_authorization_specification, as for hosts that pg_hba.conf rejects.
 */
export function postgresError(message: string, hint: string): Uint8Array {
  const fields = ['SFATAL', 'VFATAL', 'C28000', `M${message}`, `H${hint}`];
  const body = Buffer.from(`${fields.join('\0')}\0\0`, 'utf8');
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}
