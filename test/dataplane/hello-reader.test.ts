import { describe, expect, it } from 'vitest';
import { HelloReader } from '../../src/dataplane/hello-reader.ts';
import { buildClientHello, text } from '../support/client-hello.ts';

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
    ['tcp', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ])('takes what is not TLS for %s', (protocol, opening) => {
    expect(read(text(opening))).toEqual({ kind: 'unreadable', protocol, reason: 'not_tls', detail: null });
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
