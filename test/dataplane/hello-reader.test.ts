import { describe, expect, it } from 'vitest';
import { HelloReader } from '../../src/dataplane/hello-reader.ts';
import { buildClientHello, bytes, concat, text } from '../support/client-hello.ts';
import { GSSENC_REQUEST, SSL_REQUEST, STARTUP_MESSAGE } from '../support/postgres-openings.ts';
import { describeAnswer } from './support.ts';

const read = (bytes: Uint8Array, maxBytes = 65_536) => new HelloReader(maxBytes).read(bytes);

describe('HelloReader', () => {
  it('reads a hello and its name, in lower case', () => {
    const hello = buildClientHello({ serverName: 'Allowed.Example' });
    expect(read(hello)).toMatchObject({ kind: 'hello', hostname: 'allowed.example', consumed: hello.length });
  });

  it.each<[string, Uint8Array, object]>([
    ['a name that is none', buildClientHello({ serverName: '127.0.0.1' }), { detail: 'name-ip-literal' }],
    ['a draft of TLS 1.3', buildClientHello({ legacyVersion: 0x0304 }), { detail: 'legacy-version' }],
  ])('says what is malformed: %s', (_, bytes, expected) => {
    expect(read(bytes)).toMatchObject({
      kind: 'unreadable',
      protocol: 'tls',
      reason: 'malformed_hello',
      ...expected,
    });
  });

  it.each([
    ['http', 'GET / HTTP/1.1\r\n'],
    ['http', 'GET / HTTP/1.1\nHost: broken\n\n'],
    ['tcp', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ])('takes what is not TLS for %s', (protocol, opening) => {
    expect(read(text(opening))).toEqual({ kind: 'unreadable', protocol, reason: 'not_tls', detail: null });
  });

  it('hears a PostgreSQL client ask for GSS, then for TLS, each once', () => {
    const reader = new HelloReader(65_536);
    expect(reader.read(GSSENC_REQUEST)).toEqual({ kind: 'asks', protocol: 'tcp', request: 'gssenc' });
    expect(reader.read(SSL_REQUEST)).toEqual({ kind: 'asks', protocol: 'tcp', request: 'ssl' });
    expect(reader.read(GSSENC_REQUEST)).toMatchObject({
      reason: 'malformed_request',
      detail: 'repeated-request',
    });
  });

  it('does not take what came before the answer for the hello', () => {
    expect(read(concat(SSL_REQUEST, buildClientHello()))).toEqual({
      kind: 'unreadable',
      protocol: 'tcp',
      reason: 'malformed_request',
      detail: 'bytes-before-answer',
    });
  });

  it.each<[string, Uint8Array, string]>([
    ['TLS', buildClientHello(), 'alert 49'],
    ['the beginning of TLS', bytes(22, 3), 'alert 49'],
    ['PostgreSQL in the clear', STARTUP_MESSAGE, 'PostgreSQL error'],
    ['PostgreSQL that waits for an answer', SSL_REQUEST, 'nothing'],
    ['something else', text('SSH-2.0-OpenSSH_9.2'), 'nothing'],
  ])('refuses %s in its own words', (_, opening, expected) => {
    const reader = new HelloReader(65_536);
    reader.read(opening);
    expect(describeAnswer(reader.refusal('not_allowed'))).toBe(expected);
  });

  it('holds a hello to the bound at any split', () => {
    const hello = buildClientHello();
    for (const cut of [1, 5, 9, hello.length - 1, hello.length]) {
      const reader = new HelloReader(hello.length - 1);
      const first = reader.read(hello.subarray(0, cut));
      const last = first.kind === 'need-more' ? reader.read(hello) : first;
      expect(last).toMatchObject({ kind: 'unreadable', reason: 'hello_too_large' });
    }
    expect(read(hello, hello.length).kind).toBe('hello');
  });
});
