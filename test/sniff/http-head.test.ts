import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REQUEST_HEAD_FAULTS, type RequestHeadFault } from '../../src/sniff/http-fault.ts';
import { DEFAULT_HEAD_LIMITS, parseRequestHead, type RequestHeadResume } from '../../src/sniff/http-head.ts';
import { concat, text } from '../support/client-hello.ts';
import { feedHead, headOf } from './head.ts';

const GET = 'GET / HTTP/1.1\r\n';

describe('a request head', () => {
  it('is read line by line', () => {
    const stream = text(
      'M-SEARCH /a?b HTTP/1.0\r\nHost:\tallowed.example \t \r\nX-1:\r\nx-1: a: \xe9 b\r\n\r\nbody',
    );
    expect(parseRequestHead(stream)).toEqual({
      kind: 'done',
      method: 'M-SEARCH',
      target: '/a?b',
      version: '1.0',
      headers: [
        ['Host', 'allowed.example'],
        ['X-1', ''],
        ['x-1', 'a: \xe9 b'],
      ],
      consumed: stream.length - 4,
    });
  });

  it('may have no header lines', () => {
    expect(headOf('GET / HTTP/1.1')).toMatchObject({ headers: [] });
  });

  it('never comes of a strict prefix', () => {
    const stream = text(`${GET}Host: allowed.example\r\n\r\n`);
    for (let length = 0; length < stream.length; length++) {
      expect(parseRequestHead(stream.subarray(0, length)).kind).toBe('need-more');
    }
  });
});

describe('a malformed head', () => {
  it.each<[RequestHeadFault, string]>([
    ['line-end', 'GET / HTTP/1.1\n'],
    ['line-end', '\n'],
    ['line-end', 'GET / HTTP/1.1\rH'],
    ['line-end', `${GET}X: a\r\rb`],
    ['line-end', `${GET}X: a\r\n\n`],
    ['control-byte', `${GET}Host: allowed.example\x0b`],
    ['control-byte', `${GET}Host\0`],
    ['control-byte', `${GET}X: \x7f`],
    ['control-byte', '\x16\x03\x01'],
    ['request-line', '\r\n'],
    ['request-line', 'GET /\r\n'],
    ['request-line', 'GET / x HTTP/1.1\r\n'],
    ['request-line', 'GET\t/ HTTP/1.1\r\n'],
    ['request-line', 'GET  / HTTP/1.1\r\n'],
    ['request-line', 'GET / HTTP/1.1 \r\n'],
    ['method', ' / HTTP/1.1\r\n'],
    ['method', 'G@T / HTTP/1.1\r\n'],
    ['target', 'GET  HTTP/1.1\r\n'],
    ['target', 'GET /\xe9 HTTP/1.1\r\n'],
    ['target', 'GET /\tx HTTP/1.1\r\n'],
    ['version', 'GET / HTTP/1.2\r\n'],
    ['version', 'GET / HTTP/2.0\r\n'],
    ['version', 'GET / HTTP/1.10\r\n'],
    ['version', 'GET / http/1.1\r\n'],
    ['header-fold', `${GET}Host: allowed.example\r\n .evil.example\r\n`],
    ['header-fold', `${GET}\tHost: a\r\n`],
    ['header-name', `${GET}Host : allowed.example\r\n`],
    ['header-name', `${GET}: a\r\n`],
    ['header-name', `${GET}garbage\r\n`],
    ['header-name', `${GET}H\xf6st: a\r\n`],
  ])('is told as %s: %j', (reason, opening) => {
    for (const step of [1, 5, opening.length]) {
      expect(feedHead(text(opening), step)).toEqual({ kind: 'malformed', reason });
    }
  });
});

describe('the limits', () => {
  const padded = (length: number) => text(`${GET}X: ${'a'.repeat(length - GET.length - 7)}\r\n\r\n`);
  const lines = (count: number) => text(`${GET}${'X: a\r\n'.repeat(count - 1)}\r\n`);

  it.each<[string, Uint8Array, string]>([
    ['16 KiB', padded(16_384), 'done'],
    ['16 KiB and a byte', padded(16_385), 'too-large'],
    ['16 KiB without an end', padded(16_400).subarray(0, 16_384), 'too-large'],
    ['100 lines', lines(100), 'done'],
    ['101 lines', lines(101), 'too-large'],
  ])('%s', (_, stream, kind) => {
    for (const step of [1, 1_000, stream.length]) expect(feedHead(stream, step).kind).toBe(kind);
  });

  it('are parameters', () => {
    const stream = text(`${GET}X: a\r\n\r\n`);
    expect(parseRequestHead(stream, undefined, { maxBytes: 10, maxLines: 100 }).kind).toBe('too-large');
    expect(parseRequestHead(stream, undefined, { ...DEFAULT_HEAD_LIMITS, maxLines: 1 }).kind).toBe(
      'too-large',
    );
  });
});

describe('a sequence of calls', () => {
  it('does not read again what is before the current line', () => {
    const stream = text(`${GET}Host: allowed.example\r\nX: ${'a'.repeat(100)}\r\n\r\n`);
    let resume: RequestHeadResume | undefined;
    for (let length = 0; length < stream.length; length++) {
      const seen = stream.slice(0, length).fill(0, 0, resume?.lineStart ?? 0);
      const result = parseRequestHead(seen, resume);
      if (result.kind !== 'need-more') return expect.unreachable(`${length}: ${JSON.stringify(result)}`);
      resume = result.resume;
      expect(resume.scanned).toBe(length);
    }
    expect(parseRequestHead(stream, resume)).toMatchObject({
      kind: 'done',
      headers: [
        ['Host', 'allowed.example'],
        ['X', 'a'.repeat(100)],
      ],
    });
  });

  it('says the same as one call, whatever the bytes', () => {
    const piece = fc.constantFrom('\r\n', '\r', '\n', ' ', ':', 'Host: a', 'X', '\t', '\0', GET);
    const stream = fc.array(piece, { maxLength: 12 }).map(pieces => text(pieces.join('')));
    const noise = fc.uint8Array({ maxLength: 60 });
    fc.assert(
      fc.property(
        fc.constantFrom('', GET),
        fc.oneof(stream, noise),
        fc.integer({ min: 1, max: 9 }),
        (head, tail, step) => {
          const bytes = concat(text(head), tail);
          const result = parseRequestHead(bytes);
          const inPieces = feedHead(bytes, step);
          expect(inPieces.kind).toBe(result.kind);
          if (result.kind !== 'need-more') expect(inPieces).toEqual(result);
          if (result.kind === 'malformed') expect(REQUEST_HEAD_FAULTS).toHaveProperty(result.reason);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
