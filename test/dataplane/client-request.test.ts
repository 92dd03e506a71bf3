import { describe, expect, it } from 'vitest';
import { type ClientRequest, type ReadRequest, RequestReader } from '../../src/dataplane/client-request.ts';
import { bytes, concat, text } from '../support/client-hello.ts';
import { connectRequest, hello, SOCKS_GREETING, socksRequest } from './openings.ts';
import { describeAnswer } from './support.ts';

/** Feeds `stream` in pieces, answering greetings, until the reader says something final; `left` is what it did not consume. */
function read(
  stream: Uint8Array,
  step = Math.max(stream.length, 1),
): { last: ReadRequest; replies: string[]; left: Uint8Array } {
  const reader = new RequestReader('gw-1', 16_384);
  const replies: string[] = [];
  let start = 0;
  let last: ReadRequest = { kind: 'need-more' };
  for (let end = Math.min(step, stream.length); ; end = Math.min(end + step, stream.length)) {
    last = reader.read(stream.subarray(start, end));
    while (last.kind === 'reply') {
      replies.push(describeAnswer(last.bytes));
      start += last.consumed;
      last = reader.read(stream.subarray(start, end));
    }
    if (last.kind === 'request') start += last.consumed;
    if (last.kind !== 'need-more' || end === stream.length)
      return { last, replies, left: stream.slice(start) };
  }
}

function request(stream: Uint8Array, step?: number): ClientRequest {
  const { last } = read(stream, step);
  if (last.kind !== 'request') throw new Error(`no request but ${last.kind}`);
  return last.request;
}

const summary = ({ protocol, hostname, address, port }: ClientRequest) =>
  `${protocol} ${hostname ?? '-'} ${address ?? '-'} ${port}`;

describe('what a client of an explicit listener may ask for', () => {
  it.each<[string, Uint8Array, string]>([
    ['CONNECT with a name', connectRequest('a.example', 8443), 'connect a.example - 8443'],
    ['CONNECT with a name in capitals', connectRequest('A.Example'), 'connect a.example - 443'],
    ['CONNECT with an IPv4 address', connectRequest('198.51.100.7'), 'connect - 198.51.100.7 443'],
    ['CONNECT with an IPv6 address', connectRequest('[2001:db8::1]'), 'connect - 2001:db8::1 443'],
    ['SOCKS5 with a name', concat(SOCKS_GREETING, socksRequest('a.example')), 'socks5 a.example - 443'],
    [
      'SOCKS5 with an IPv4 address',
      concat(SOCKS_GREETING, socksRequest('198.51.100.7')),
      'socks5 - 198.51.100.7 443',
    ],
    [
      'SOCKS5 with an IPv6 address',
      concat(SOCKS_GREETING, bytes(5, 1, 0, 4, 0x20, 1, 0xd, 0xb8, ...new Array(11).fill(0), 1, 1, 187)),
      'socks5 - 2001:db8::1 443',
    ],
    [
      'SOCKS5 from a client that offers more methods',
      concat(bytes(5, 3, 2, 1, 0), socksRequest('a.example')),
      'socks5 a.example - 443',
    ],
  ])('%s, in any pieces', (_, stream, expected) => {
    for (const step of [1, 2, 3, 7, stream.length]) {
      expect(summary(request(stream, step)), `pieces of ${step}`).toBe(expected);
    }
  });

  it('keeps the bytes behind the request', () => {
    const inner = hello();
    for (const opening of [connectRequest('a.example'), concat(SOCKS_GREETING, socksRequest('a.example'))]) {
      expect(read(concat(opening, inner)).left).toEqual(inner);
    }
  });

  it('answers a SOCKS greeting before the request has come', () => {
    expect(read(SOCKS_GREETING)).toMatchObject({ last: { kind: 'need-more' }, replies: ['method 0'] });
  });

  it('leaves plain HTTP, once its head is whole, to others', () => {
    const head = 'GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n';
    expect(read(text(head)).last).toEqual({ kind: 'http' });
    expect(read(text(head.slice(0, -1))).last).toEqual({ kind: 'need-more' });
  });

  it('waits on no bytes at all', () => {
    expect(read(bytes()).last).toEqual({ kind: 'need-more' });
  });
});

describe('how a request is answered', () => {
  it.each<[string, Uint8Array, string, string]>([
    ['CONNECT', connectRequest('a.example'), 'HTTP 200', 'HTTP 403'],
    ['SOCKS5', concat(SOCKS_GREETING, socksRequest('a.example')), 'SOCKS 0', 'SOCKS 2'],
  ])('%s', (_, stream, granted, refused) => {
    const asked = request(stream);
    expect(describeAnswer(asked.granted)).toBe(granted);
    expect(describeAnswer(asked.refusal('not_allowed'))).toBe(refused);
  });

  it('says that a name did not resolve in the client’s protocol', () => {
    expect(describeAnswer(request(connectRequest('a.example')).refusal('unresolvable'))).toBe('HTTP 502');
    const socks = request(concat(SOCKS_GREETING, socksRequest('a.example')));
    expect(describeAnswer(socks.refusal('unresolvable'))).toBe('SOCKS 4');
    expect(describeAnswer(socks.refusal('flow_limit'))).toBe('SOCKS 1');
  });

  it('names the target in an HTTP refusal, as it was understood', () => {
    const refusal = Buffer.from(request(connectRequest('A.Example')).refusal('not_allowed')).toString(
      'latin1',
    );
    expect(refusal).toContain('CONNECT a.example:443');
  });
});

describe('what is refused', () => {
  it.each<[string, Uint8Array, string]>([
    ['a malformed HTTP head', text('GET  / HTTP/1.1\r\n\r\n'), 'http malformed_request HTTP 400'],
    ['a bare line feed', text('CONNECT a.example:443 HTTP/1.1\n'), 'http malformed_request HTTP 400'],
    [
      'a CONNECT without a port',
      text('CONNECT a.example HTTP/1.1\r\nHost: a.example\r\n\r\n'),
      'connect malformed_request HTTP 400',
    ],
    [
      'a CONNECT whose Host differs',
      text('CONNECT a.example:443 HTTP/1.1\r\nHost: b.example\r\n\r\n'),
      'connect malformed_request HTTP 400',
    ],
    [
      'a head of more than 16 KiB',
      text(`GET / HTTP/1.1\r\nX: ${'x'.repeat(17_000)}`),
      'http hello_too_large HTTP 431',
    ],
    ['TLS', hello(), 'tls malformed_request nothing'],
    ['lower-case text', text('connect a.example:443'), 'unknown malformed_request nothing'],
    ['SOCKS4', bytes(4, 1, 0, 80, 1, 2, 3, 4, 0), 'unknown malformed_request nothing'],
    ['a SOCKS greeting without methods', bytes(5, 0), 'socks5 malformed_request nothing'],
    ['a SOCKS client that insists on a password', bytes(5, 1, 2), 'socks5 malformed_request method 255'],
    ['SOCKS BIND', concat(SOCKS_GREETING, bytes(5, 2, 0, 1)), 'socks5 malformed_request SOCKS 7'],
    [
      'an unknown SOCKS address type',
      concat(SOCKS_GREETING, bytes(5, 1, 0, 9)),
      'socks5 malformed_request SOCKS 8',
    ],
    [
      'a SOCKS name with a trailing dot',
      concat(SOCKS_GREETING, socksRequest('a.example.')),
      'socks5 malformed_request SOCKS 1',
    ],
    ['port 0', concat(SOCKS_GREETING, socksRequest('a.example', 0)), 'socks5 malformed_request SOCKS 1'],
  ])('%s, in any pieces', (_, stream, expected) => {
    for (const step of [1, 7, stream.length]) {
      const { last } = read(stream, step);
      const said =
        last.kind === 'refuse'
          ? `${last.protocol} ${last.reason} ${describeAnswer(last.farewell)}`
          : last.kind;
      expect(said, `pieces of ${step}`).toBe(expected);
    }
  });
});

describe('a greeted SOCKS client', () => {
  it('is refused when it goes on in HTTP', () => {
    const { last } = read(concat(SOCKS_GREETING, text('CONNECT allowed.example:443 HTTP/1.1\r\n\r\n')));
    expect(last).toMatchObject({
      kind: 'refuse',
      protocol: 'socks5',
      reason: 'malformed_request',
      detail: 'version',
    });
  });
});

describe('a request head', () => {
  it('may be as large as the limit, and no larger', () => {
    const head = text(`CONNECT a.example:443 HTTP/1.0\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`);
    expect(new RequestReader('gw-1', 65_536).read(head).kind).toBe('request');
    expect(new RequestReader('gw-1', 16_384).read(head)).toMatchObject({ reason: 'hello_too_large' });
  });
});

describe('what a client hears whose request never became whole', () => {
  it.each<[string, Uint8Array, string]>([
    ['nothing, if it said nothing', bytes(), 'nothing'],
    ['HTTP, if it began like that', text('CONN'), 'HTTP 408'],
    ['nothing, in the middle of a SOCKS greeting', bytes(5, 2, 0), 'nothing'],
    ['a SOCKS reply, after a greeting', concat(SOCKS_GREETING, bytes(5, 1)), 'SOCKS 1'],
  ])('%s', (_, stream, expected) => {
    const reader = new RequestReader('gw-1', 65_536);
    const first = reader.read(stream);
    if (first.kind === 'reply') reader.read(stream.subarray(first.consumed));
    expect(describeAnswer(reader.refusal('hello_timeout'))).toBe(expected);
  });
});
