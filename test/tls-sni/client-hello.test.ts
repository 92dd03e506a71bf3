import { describe, expect, it } from 'vitest';
import { type ClientHelloFault, parseClientHello } from '../../src/tls-sni/index.ts';
import {
  alpnExtension,
  buildClientHello,
  buildHandshake,
  bytes,
  concat,
  type Extension,
  record,
  serverNameExtension,
  text,
  toRecords,
  vector16,
} from '../support/client-hello.ts';
import { everyByte, feed } from './feed.ts';

const sni = (...data: number[]): Extension => [0, bytes(...data)];
const withExtensions = (...extensions: Extension[]) => buildClientHello({ extensions });
const handshake = buildHandshake();
const [head, rest] = [handshake.subarray(0, 20), handshake.subarray(20)];

describe('a hello in order', () => {
  it('is read field by field', () => {
    const stream = buildClientHello({
      serverName: 'Allowed.Example',
      alpn: ['h2', 'x\xff'],
      versions: [0x2a2a, 0x0304],
    });
    expect(parseClientHello(stream)).toEqual({
      kind: 'done',
      serverName: 'Allowed.Example',
      alpn: ['h2', 'x\xff'],
      versions: [0x2a2a, 0x0304],
      legacyVersion: 0x0303,
      ech: false,
      consumed: stream.length,
    });
  });

  it.each<[string, Uint8Array]>([
    ['no server_name', buildClientHello({ serverName: null })],
    ['no extensions block', buildClientHello({ extensions: null })],
    ['an empty extensions block', buildClientHello({ extensions: [] })],
  ])('has no name with %s', (_, stream) => {
    expect(parseClientHello(stream)).toMatchObject({
      kind: 'done',
      serverName: null,
      consumed: stream.length,
    });
  });

  it.each([0xfe0d, 0xffce])('has ECH with extension %i', type => {
    const stream = buildClientHello({ extraExtensions: [[type, bytes(1, 2, 3)]] });
    expect(parseClientHello(stream)).toMatchObject({ kind: 'done', ech: true });
  });

  it('leaves what follows its last record alone', () => {
    const hello = buildClientHello();
    const stream = concat(hello, record(23, bytes(1, 2, 3)));
    expect(parseClientHello(stream)).toMatchObject({ kind: 'done', consumed: hello.length });
  });

  it('may say any minor version in its record header', () => {
    for (const minor of [0, 1, 2, 3, 4, 255]) {
      const stream = buildClientHello();
      stream[2] = minor;
      expect(parseClientHello(stream).kind).toBe('done');
    }
  });

  it('may have any number of unknown extensions', () => {
    const extraExtensions = Array.from({ length: 16_000 }, (_, i): Extension => [0x4000 + i, bytes()]);
    const stream = buildClientHello({ extraExtensions });
    expect(parseClientHello(stream)).toMatchObject({ kind: 'done', serverName: 'allowed.example' });
  });
});

describe('a hello out of order', () => {
  it.each<[ClientHelloFault, string, Uint8Array]>([
    ['first-record', 'change_cipher_spec first', concat(record(20, bytes(1)), buildClientHello())],
    ['first-record', 'alert first', concat(record(21, bytes(1, 0)), buildClientHello())],
    ['first-record', 'application data first', record(23, bytes(0))],
    ['first-record', 'heartbeat first', bytes(24, 3)],
    [
      'interleaved-record',
      'an alert between fragments',
      concat(record(22, head), record(21, bytes(1, 0)), record(22, rest)),
    ],
    [
      'interleaved-record',
      'application data between',
      concat(record(22, head), record(23, bytes(0)), record(22, rest)),
    ],
    ['interleaved-record', 'no record between', concat(record(22, head), text('GET /'))],
    ['interleaved-record', 'DTLS between', concat(record(22, head), bytes(22, 0xfe))],
    ['record-empty', 'an empty record first', concat(record(22, bytes()), buildClientHello())],
    [
      'record-empty',
      'an empty record between',
      concat(record(22, head), record(22, bytes()), record(22, rest)),
    ],
    ['record-too-long', 'a record header of 16 385', bytes(22, 3, 1, 0x40, 0x01)],
    ['record-too-long', 'a second header of 65 535', concat(record(22, head), bytes(22, 3, 1, 0xff, 0xff))],
    ['handshake-type', 'a ServerHello', buildClientHello({ handshakeType: 2 })],
    ['handshake-type', 'a HelloRequest, seen at its first byte', bytes(22, 3, 1, 0, 4, 0)],
    ['trailing-bytes', 'a byte behind it', record(22, concat(handshake, bytes(0)))],
    [
      'trailing-bytes',
      'a byte behind it in the second record',
      concat(record(22, head), record(22, concat(rest, bytes(0)))),
    ],
    ['trailing-bytes', 'a header that shows it', bytes(22, 3, 1, 1, 0, 1, 0, 0, 50)],
    ['legacy-version', 'SSL 3.0', buildClientHello({ legacyVersion: 0x0300 })],
    ['legacy-version', '0x0305', buildClientHello({ legacyVersion: 0x0305 })],
    ['session-id', '33 bytes', buildClientHello({ sessionId: new Uint8Array(33) })],
    ['cipher-suites', 'none', buildClientHello({ cipherSuites: bytes() })],
    ['cipher-suites', 'an odd length', buildClientHello({ cipherSuites: bytes(1, 2, 3) })],
    ['compression-methods', 'none', buildClientHello({ compressionMethods: bytes() })],
    ['body-truncated', 'an empty hello', record(22, bytes(1, 0, 0, 0))],
    ['extensions-length', 'one too many', buildClientHello({ extensions: [], extensionsLength: 1 })],
    [
      'extensions-length',
      'one too few',
      buildClientHello({ extensions: [[9, bytes(1)]], extensionsLength: 4 }),
    ],
    ['extensions-length', 'half a length', buildClientHello({ extensions: null, tail: bytes(0) })],
    [
      'extension-truncated',
      'half a header',
      buildClientHello({ extensions: [], extensionsLength: 3, tail: bytes(0, 9, 0) }),
    ],
    [
      'extension-truncated',
      'a length too long',
      buildClientHello({ extensions: [], extensionsLength: 4, tail: bytes(0, 9, 0, 1) }),
    ],
    [
      'extension-duplicate',
      'two server_names',
      withExtensions(serverNameExtension('a.example'), serverNameExtension('a.example')),
    ],
    ['extension-duplicate', 'two unknown ones', withExtensions([0x1234, bytes()], [0x1234, bytes(1)])],
    ['server-name-empty', 'an empty extension', withExtensions(sni())],
    ['server-name-empty', 'an empty list', withExtensions(sni(0, 0))],
    ['server-name-length', 'half a list length', withExtensions(sni(0))],
    ['server-name-length', 'a list shorter than the extension', withExtensions(sni(0, 4, 0, 0, 1, 97, 0))],
    ['server-name-length', 'a list longer than the extension', withExtensions(sni(0, 5, 0, 0, 1, 97))],
    ['server-name-length', 'a name longer than the list', withExtensions(sni(0, 4, 0, 0, 2, 97))],
    ['server-name-length', 'half a name length', withExtensions(sni(0, 2, 0, 0))],
    ['server-name-type', 'an entry of type 1', withExtensions(sni(0, 4, 1, 0, 1, 97))],
    ['server-name-count', 'two entries', withExtensions(sni(0, 8, 0, 0, 1, 97, 0, 0, 1, 98))],
    ['name-empty', 'an empty name', withExtensions(sni(0, 3, 0, 0, 0))],
    ['name-too-long', '254 bytes', buildClientHello({ serverName: 'a'.repeat(254) })],
    ['name-too-long', '16 000 bytes', buildClientHello({ serverName: 'a'.repeat(16_000) })],
    ['name-byte', 'a NUL', buildClientHello({ serverName: 'allowed.example\0' })],
    ['name-byte', 'UTF-8', buildClientHello({ serverName: Buffer.from('b\u00fccher.example') })],
    ['name-ip-literal', 'IPv4', buildClientHello({ serverName: '127.0.0.1' })],
    ['name-ip-literal', 'IPv6', buildClientHello({ serverName: '2001:db8::1' })],
    ['name-numeric', 'a short IPv4', buildClientHello({ serverName: '127.1' })],
    ['label-empty', 'a trailing dot', buildClientHello({ serverName: 'allowed.example.' })],
    ['label-hyphen', 'a hyphen in front', buildClientHello({ serverName: '-a.wild.example' })],
    ['label-too-long', '64 bytes', buildClientHello({ serverName: 'a'.repeat(64) })],
    ['alpn', 'no list', withExtensions([16, bytes()])],
    ['alpn', 'an empty list', withExtensions(alpnExtension([]))],
    ['alpn', 'an empty name', withExtensions(alpnExtension(['h2', '']))],
    ['alpn', 'a name too long', withExtensions([16, vector16(bytes(3, 104, 50))])],
    ['alpn', 'a list too short', withExtensions([16, bytes(0, 2, 1, 104, 1)])],
    ['supported-versions', 'none', withExtensions([43, bytes(0)])],
    ['supported-versions', 'an odd length', withExtensions([43, bytes(3, 3, 4, 3)])],
    ['supported-versions', 'a length too long', withExtensions([43, bytes(4, 3, 4)])],
  ])('is malformed as %s: %s', (reason, _, stream) => {
    expect(parseClientHello(stream)).toEqual({ kind: 'malformed', reason });
    expect(feed(stream, everyByte(stream))).toEqual({ kind: 'malformed', reason });
  });

  it.each<[string, Uint8Array]>([
    ['plain HTTP', text('G')],
    ['SSLv2', bytes(0x80)],
    ['DTLS', bytes(22, 0xfe)],
    ['a content type of 25', bytes(25)],
    ['major version 2', bytes(22, 2)],
    ['an alert of major version 4', bytes(21, 4)],
  ])('is not TLS at all: %s', (_, stream) => {
    expect(parseClientHello(stream)).toEqual({ kind: 'not-tls' });
  });

  it('is told from the fewest cipher bytes that run past the end', () => {
    const full = buildHandshake({ extensions: null });
    for (let length = 4; length < full.length; length++) {
      const cut = Uint8Array.from(full.subarray(0, length));
      cut[3] = length - 4;
      expect(parseClientHello(toRecords(cut)), `${length}`).toEqual({
        kind: 'malformed',
        reason: 'body-truncated',
      });
    }
  });
});
