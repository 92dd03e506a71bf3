import { describe, expect, it } from 'vitest';
import { parseClientHello } from '../../src/tls-sni/index.ts';
import { toRecords } from '../support/client-hello.ts';
import { type HelloRow, readCaptures } from '../support/corpus.ts';
import { everyByte, feed } from './feed.ts';

/** Captured hellos that are refused on purpose: their names are IP literals. */
const REFUSED: Readonly<Record<string, string>> = {
  h0606: 'name-ip-literal',
  i0026: 'name-ip-literal',
  i0033: 'name-ip-literal',
};

const rows = readCaptures<HelloRow>('hellos.jsonl');
const hellos = (rows ?? []).filter(row => row.kind === 'tls');
const accepted = hellos.filter(row => !(row.id in REFUSED));

describe.skipIf(rows === null)('captured ClientHellos (skipped when ../shared/corpus is missing)', () => {
  it('are read as independent parsers read them', () => {
    for (const row of accepted) {
      expect(parseClientHello(row.stream), row.id).toMatchObject({
        kind: 'done',
        serverName: row.sni,
        consumed: row.stream.length,
      });
    }
  });

  it('are refused where a name is no hostname', () => {
    for (const row of hellos.filter(row => row.id in REFUSED)) {
      expect(parseClientHello(row.stream), row.id).toEqual({ kind: 'malformed', reason: REFUSED[row.id] });
    }
  });

  it('of SSLv2 are not TLS', () => {
    const old = (rows ?? []).filter(row => row.kind === 'sslv2');
    expect(old.length).toBeGreaterThan(0);
    for (const row of old) expect(parseClientHello(row.stream), row.id).toEqual({ kind: 'not-tls' });
  });

  it('say the same when they come one byte at a time', () => {
    for (const row of hellos) {
      expect(feed(row.stream, everyByte(row.stream)), row.id).toEqual(parseClientHello(row.stream));
    }
  });

  it('never yield a name from a strict prefix', () => {
    for (const row of accepted) {
      for (let length = 0; length < row.stream.length; length++) {
        const result = parseClientHello(row.stream.subarray(0, length));
        expect(result.kind, `${row.id} at ${length}`).toBe('need-more');
        if (result.kind !== 'need-more') continue;
        expect(result.atLeast, row.id).toBeGreaterThan(length);
        expect(result.atLeast, row.id).toBeLessThanOrEqual(row.stream.length);
      }
    }
  });

  it('say the same in two records, cut at any byte', () => {
    for (const row of accepted) {
      const handshake = row.stream.subarray(5);
      for (let cut = 1; cut < handshake.length; cut++) {
        const split = toRecords(handshake, [cut]);
        const result = parseClientHello(split);
        if (result.kind !== 'done' || result.serverName !== row.sni || result.consumed !== split.length) {
          expect.unreachable(`${row.id} cut at ${cut}: ${JSON.stringify(result)}`);
        }
      }
    }
  });
});
