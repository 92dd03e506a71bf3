import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  parseSocks5Greeting,
  parseSocks5Request,
  SOCKS5_FAULTS,
  type Socks5Greeting,
  type Socks5Request,
  socks5Method,
  socks5Reply,
} from '../../src/sniff/socks5.ts';
import { bytes, concat, text } from '../support/client-hello.ts';

const domain = (name: string, port = [0x01, 0xbb]) =>
  concat(bytes(5, 1, 0, 3, name.length), text(name), bytes(...port));

describe('parseSocks5Greeting', () => {
  it.each<[string, Uint8Array, Socks5Greeting]>([
    ['no authentication', bytes(5, 1, 0), { kind: 'done', consumed: 3 }],
    ['among others', bytes(5, 3, 2, 1, 0, 5), { kind: 'done', consumed: 5 }],
    ['a password only', bytes(5, 1, 2), { kind: 'no-acceptable-method', consumed: 3 }],
    ['no method', bytes(5, 0), { kind: 'malformed', reason: 'no-methods' }],
    ['SOCKS4', bytes(4), { kind: 'malformed', reason: 'version' }],
    ['nothing', bytes(), { kind: 'need-more', atLeast: 2 }],
    ['a count', bytes(5, 3), { kind: 'need-more', atLeast: 5 }],
    ['half a list', bytes(5, 3, 0), { kind: 'need-more', atLeast: 5 }],
  ])('%s', (_, stream, expected) => {
    expect(parseSocks5Greeting(stream)).toEqual(expected);
  });
});

describe('parseSocks5Request', () => {
  const address = (ip: string, consumed: number): Socks5Request => ({
    kind: 'done',
    target: { kind: 'address', ip, port: 443 },
    consumed,
  });

  it.each<[string, Uint8Array, Socks5Request]>([
    [
      'a domain',
      domain('Allowed.example'),
      { kind: 'done', target: { kind: 'name', hostname: 'Allowed.example', port: 443 }, consumed: 22 },
    ],
    [
      'a domain with more behind it',
      concat(domain('a.b'), bytes(22)),
      { kind: 'done', target: { kind: 'name', hostname: 'a.b', port: 443 }, consumed: 10 },
    ],
    ['IPv4', bytes(5, 1, 0, 1, 10, 0, 0, 1, 1, 0xbb), address('10.0.0.1', 10)],
    [
      'IPv6',
      concat(bytes(5, 1, 0, 4), bytes(0x20, 1, 0x0d, 0xb8), new Uint8Array(11), bytes(1, 1, 0xbb)),
      address('2001:db8::1', 22),
    ],
    ['a dotted quad as a domain', domain('127.0.0.1'), address('127.0.0.1', 16)],
    ['BIND', bytes(5, 2), { kind: 'command-not-supported' }],
    ['UDP ASSOCIATE', bytes(5, 3, 0, 1), { kind: 'command-not-supported' }],
    ['address type 2', bytes(5, 1, 0, 2), { kind: 'address-type-not-supported' }],
    ['SOCKS4', bytes(4, 1), { kind: 'malformed', reason: 'version' }],
    ['a reserved byte', bytes(5, 1, 1), { kind: 'malformed', reason: 'reserved' }],
    ['port 0', domain('a.b', [0, 0]), { kind: 'malformed', reason: 'port' }],
    ['an empty domain', domain(''), { kind: 'malformed', reason: 'name-empty' }],
    ['a NUL in the domain', domain('allowed.example\0.evil'), { kind: 'malformed', reason: 'name-byte' }],
    ['a trailing dot', domain('allowed.example.'), { kind: 'malformed', reason: 'label-empty' }],
    ['a decimal address', domain('2130706433'), { kind: 'malformed', reason: 'name-numeric' }],
    ['an IPv6 address as a domain', domain('::1'), { kind: 'malformed', reason: 'name-ip-literal' }],
    ['255 bytes', domain('a'.repeat(255)), { kind: 'malformed', reason: 'name-too-long' }],
    ['half a header', bytes(5, 1), { kind: 'need-more', atLeast: 4 }],
    ['no domain length', bytes(5, 1, 0, 3), { kind: 'need-more', atLeast: 5 }],
    ['half a domain', bytes(5, 1, 0, 3, 9, 97), { kind: 'need-more', atLeast: 16 }],
    ['half an address', bytes(5, 1, 0, 4, 0), { kind: 'need-more', atLeast: 22 }],
  ])('%s', (_, stream, expected) => {
    expect(parseSocks5Request(stream)).toEqual(expected);
  });

  it('says of a prefix that more is needed, or the fault that the whole has', () => {
    const header = fc.constantFrom([5, 1, 0, 1], [5, 1, 0, 3, 3], [5, 1, 0, 4], [5, 1, 0], [5, 1, 0, 3]);
    fc.assert(
      fc.property(header, fc.uint8Array({ maxLength: 30 }), fc.nat(40), (head, tail, cut) => {
        const stream = concat(bytes(...head), tail);
        const whole = parseSocks5Request(stream);
        const part = parseSocks5Request(stream.subarray(0, cut));
        if (part.kind === 'need-more') expect(part.atLeast).toBeGreaterThan(Math.min(cut, stream.length));
        else expect(part).toEqual(whole);
        if (whole.kind === 'malformed') expect(SOCKS5_FAULTS).toHaveProperty(whole.reason);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('the answers', () => {
  it('to a greeting', () => {
    expect(socks5Method(true)).toEqual(bytes(5, 0));
    expect(socks5Method(false)).toEqual(bytes(5, 0xff));
  });

  it('to a request', () => {
    expect(socks5Reply('succeeded')).toEqual(bytes(5, 0, 0, 1, 0, 0, 0, 0, 0, 0));
    expect(socks5Reply('not-allowed')).toEqual(bytes(5, 2, 0, 1, 0, 0, 0, 0, 0, 0));
    expect(socks5Reply('command-not-supported')[1]).toBe(7);
    expect(socks5Reply('address-type-not-supported')[1]).toBe(8);
  });
});
