import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encryptionAnswer,
  encryptionRequest,
  type PostgresOpening,
  parsePostgresOpening,
  postgresError,
  readEncryptionAnswer,
} from '../../src/sniff/postgres.ts';
import { bytes, concat, text } from '../support/client-hello.ts';
import {
  CANCEL_REQUEST,
  GSSENC_REQUEST,
  SSL_REQUEST,
  STARTUP_MESSAGE,
} from '../support/postgres-openings.ts';

describe('parsePostgresOpening', () => {
  it.each<[string, Uint8Array, PostgresOpening]>([
    ['an SSLRequest', SSL_REQUEST, { kind: 'request', request: 'ssl' }],
    ['a GSSENCRequest', GSSENC_REQUEST, { kind: 'request', request: 'gssenc' }],
    ['a request with bytes behind it', concat(SSL_REQUEST, bytes(1)), { kind: 'request', request: 'ssl' }],
    ['a StartupMessage', STARTUP_MESSAGE, { kind: 'cleartext' }],
    ['a CancelRequest', CANCEL_REQUEST, { kind: 'cleartext' }],
    ['a code that is none', bytes(0, 0, 0, 8, 4, 0xd2, 0x16, 0x31), { kind: 'not-postgres' }],
    ['protocol 2.0', bytes(0, 0, 0, 8, 0, 2, 0, 0), { kind: 'not-postgres' }],
    ['an SSLRequest of 9 bytes', bytes(0, 0, 0, 9, 4, 0xd2, 0x16, 0x2f, 0), { kind: 'not-postgres' }],
    ['a length below 8', bytes(0, 0, 0, 7), { kind: 'not-postgres' }],
    ['a length above 10 000', bytes(0, 0, 0x27, 0x11), { kind: 'not-postgres' }],
    ['a length above 64 KiB', bytes(0, 1), { kind: 'not-postgres' }],
    ['TLS', bytes(22, 3, 1), { kind: 'not-postgres' }],
    ['letters', text('GET / HTTP/1.1'), { kind: 'not-postgres' }],
  ])('%s', (_, stream, expected) => {
    expect(parsePostgresOpening(stream)).toEqual(expected);
  });

  it.each([SSL_REQUEST, GSSENC_REQUEST, STARTUP_MESSAGE, CANCEL_REQUEST])(
    'wants more of any beginning of %s',
    opening => {
      for (let length = 0; length < 8; length++) {
        expect(parsePostgresOpening(opening.subarray(0, length))).toEqual({ kind: 'need-more' });
      }
    },
  );

  it('never takes back what it said of a beginning', () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      fc.uint8Array({ maxLength: 20 }).map(rest => concat(bytes(0, 0, 0, 8, 4, 0xd2, 0x16), rest)),
    );
    fc.assert(
      fc.property(anything, fc.nat(20), (stream, cut) => {
        const first = parsePostgresOpening(stream.subarray(0, cut));
        if (first.kind !== 'need-more') expect(parsePostgresOpening(stream)).toEqual(first);
      }),
    );
  });
});

it.each(['ssl', 'gssenc'] as const)('writes the %s request as it reads it', request => {
  expect(parsePostgresOpening(encryptionRequest(request))).toEqual({ kind: 'request', request });
});

describe('readEncryptionAnswer', () => {
  it.each<[string, Uint8Array | null, string]>([
    ['yes', encryptionAnswer(true), 'yes'],
    ['no', encryptionAnswer(false), 'no'],
    ['yes with more behind it', text('SE'), 'other'],
    ['yes to GSS', text('G'), 'other'],
    ['an error', postgresError('no', 'way').subarray(0, 2), 'other'],
    ['the end', null, 'other'],
    ['nothing', bytes(), 'other'],
  ])('%s', (_, answer, expected) => {
    expect(readEncryptionAnswer(answer)).toBe(expected);
  });
});

it('writes an error whose length counts itself and whose fields end with NUL', () => {
  const error = Buffer.from(postgresError('refused', 'ask'));
  expect(error.readInt32BE(1)).toBe(error.length - 1);
  expect(error.toString('latin1', 5)).toBe('SFATAL\0VFATAL\0C28000\0Mrefused\0Hask\0\0');
});
