import { describe, expect, it } from 'vitest';
import { type ClientHelloResume, parseClientHello } from '../../src/tls-sni/index.ts';
import {
  buildClientHello,
  buildHandshake,
  bytes,
  concat,
  record,
  toRecords,
} from '../support/client-hello.ts';

const handshake = buildHandshake();
const HELLO = handshake.length;
const announced = (length: number, present: Uint8Array) =>
  concat(bytes(22, 3, 1, length >> 8, length), present);

describe('an incomplete hello', () => {
  it.each<[string, Uint8Array, number]>([
    ['nothing', bytes(), 5],
    ['half a record header', bytes(22, 3, 1), 5],
    ['a record header', announced(HELLO, bytes()), 9],
    ['a record header of two bytes', announced(2, bytes()), 7],
    ['half a handshake header', announced(HELLO, bytes(1, 0)), 9],
    ['a handshake header', announced(HELLO, handshake.subarray(0, 4)), 5 + HELLO],
    [
      'a handshake header and more to come in another record',
      announced(20, handshake.subarray(0, 4)),
      10 + HELLO,
    ],
    ['one record of two', record(22, handshake.subarray(0, 20)), 10 + HELLO],
    ['half a handshake header in a record', record(22, bytes(1, 0)), 12],
    [
      'half a handshake header and a record header',
      concat(record(22, bytes(1, 0)), bytes(22, 3, 1, 0, 90)),
      14,
    ],
    ['16 MiB announced', announced(16_384, bytes(1, 0xff, 0xff, 0xff)), 4 + 0xffffff + 5 * 1025],
  ])('%s: needs that many bytes', (_, stream, atLeast) => {
    expect(parseClientHello(stream)).toMatchObject({ kind: 'need-more', atLeast });
  });

  it('is never read again before the point where the last call stopped', () => {
    const stream = toRecords(
      handshake,
      Array.from(handshake, (_, i) => i),
    );
    let resume: ClientHelloResume | undefined;
    for (let length = 0; length < stream.length; length++) {
      const seen = stream.slice(0, length).fill(0xff, 0, resume?.offset ?? 0);
      const result = parseClientHello(seen, resume);
      if (result.kind !== 'need-more') return expect.unreachable(`${length}: ${JSON.stringify(result)}`);
      resume = result.resume;
      expect(length - resume.offset, 'unread tail').toBeLessThan(6);
    }
    expect(parseClientHello(stream, resume)).toMatchObject({ kind: 'done', serverName: 'allowed.example' });
  });

  it('keeps no view of the bytes it was shown', () => {
    const shared = new Uint8Array(4_096);
    const stream = buildClientHello({ cuts: [10, 70, 90] });
    let resume: ClientHelloResume | undefined;
    for (let length = 1; length <= stream.length; length++) {
      shared.set(stream.subarray(0, length));
      const result = parseClientHello(shared.subarray(0, length), resume);
      shared.fill(0xee);
      if (result.kind === 'need-more') resume = result.resume;
      else expect(result).toMatchObject({ kind: 'done', serverName: 'allowed.example' });
    }
  });

  it('grows its buffer by doubling', () => {
    const long = buildHandshake({ extraExtensions: [[0x1234, new Uint8Array(30_000)]] });
    const stream = toRecords(
      long,
      Array.from(long, (_, i) => i),
    );
    const buffers = new Set<Uint8Array>();
    let resume: ClientHelloResume | undefined;
    for (let length = 6; length < stream.length; length += 6) {
      const result = parseClientHello(stream.subarray(0, length), resume);
      if (result.kind !== 'need-more') return expect.unreachable(`${length}`);
      resume = result.resume;
      buffers.add(resume.assembled);
    }
    expect(buffers.size).toBeLessThan(10);
  });
});
