import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ServerHelloWatcher, type ServerOpening } from '../../src/tls-sni/index.ts';
import { bytes, concat, record, text, toRecords } from '../support/client-hello.ts';

const RETRY = Uint8Array.from(
  Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex'),
);
const hello = (random: Uint8Array, type = 2) => {
  const body = concat(bytes(3, 3), random, bytes(0, 0x13, 1, 0, 0, 4, 0, 43, 0, 0));
  return concat(bytes(type, 0, 0, body.length), body);
};
const retry = hello(RETRY);
const chosen = hello(new Uint8Array(32).fill(1));
const ccs = record(20, bytes(1));
const unrecognizedName = record(21, bytes(1, 112));

function watch(stream: Uint8Array, step = stream.length): ServerOpening {
  const watcher = new ServerHelloWatcher();
  for (let at = 0; at < stream.length; at += step) {
    const opening = watcher.push(stream.subarray(at, at + step));
    if (opening.kind === 'done') return opening;
  }
  return watcher.push(bytes());
}

describe('ServerHelloWatcher', () => {
  it.each<[string, Uint8Array, ServerOpening]>([
    ['a ServerHello', record(22, chosen), { kind: 'done', message: 'server-hello', retried: false }],
    [
      'a ServerHello in pieces',
      toRecords(chosen, [1, 2, 5, 37, 38]),
      { kind: 'done', message: 'server-hello', retried: false },
    ],
    [
      'a ServerHello behind a warning',
      concat(unrecognizedName, record(22, chosen)),
      { kind: 'done', message: 'server-hello', retried: false },
    ],
    [
      'the first 38 bytes of one',
      record(22, chosen.subarray(0, 38)),
      { kind: 'done', message: 'server-hello', retried: false },
    ],
    ['the first 37 bytes of one', record(22, chosen.subarray(0, 37)), { kind: 'need-more', retried: false }],
    ['a HelloRetryRequest', record(22, retry), { kind: 'need-more', retried: true }],
    [
      'a HelloRetryRequest in pieces and CCS',
      concat(toRecords(retry, [3, 30, 44]), ccs),
      { kind: 'need-more', retried: true },
    ],
    [
      'then a ServerHello',
      concat(record(22, retry), ccs, record(22, chosen)),
      { kind: 'done', message: 'server-hello', retried: true },
    ],
    [
      'both in one record',
      record(22, concat(retry, chosen)),
      { kind: 'done', message: 'server-hello', retried: true },
    ],
    [
      'then an alert',
      concat(record(22, retry), record(21, bytes(2, 40))),
      { kind: 'done', message: 'alert', retried: true },
    ],
    ['a fatal alert', record(21, bytes(2, 40)), { kind: 'done', message: 'alert', retried: false }],
    ['a warning', unrecognizedName, { kind: 'need-more', retried: false }],
    [
      'another handshake message',
      record(22, hello(RETRY, 11)),
      { kind: 'done', message: 'other', retried: false },
    ],
    [
      'a ServerHello too short',
      record(22, concat(bytes(2, 0, 0, 33), new Uint8Array(34))),
      { kind: 'done', message: 'other', retried: false },
    ],
    ['application data', record(23, bytes(1)), { kind: 'done', message: 'other', retried: false }],
    ['an empty record', record(22, bytes()), { kind: 'done', message: 'other', retried: false }],
    ['plain HTTP', text('HTTP/1.1 400'), { kind: 'done', message: 'other', retried: false }],
    ['nothing', bytes(), { kind: 'need-more', retried: false }],
  ])('%s', (_, stream, expected) => {
    for (const step of [1, 2, 7, Math.max(stream.length, 1)]) expect(watch(stream, step)).toEqual(expected);
  });

  it('stays done', () => {
    const watcher = new ServerHelloWatcher();
    watcher.push(record(22, chosen));
    expect(watcher.push(record(22, retry))).toEqual({
      kind: 'done',
      message: 'server-hello',
      retried: false,
    });
  });

  it('finds the choice behind any number of retries, however all is cut', () => {
    const cuts = fc.array(fc.nat(200), { maxLength: 10 });
    fc.assert(
      fc.property(fc.nat(3), cuts, fc.integer({ min: 1, max: 60 }), (retries, recordCuts, step) => {
        const messages = concat(...Array.from({ length: retries }, () => retry), chosen);
        const expected = { kind: 'done', message: 'server-hello', retried: retries > 0 };
        expect(watch(toRecords(messages, recordCuts), step)).toEqual(expected);
      }),
    );
  });

  it('never throws on random bytes, and says the same in any pieces', () => {
    const opening = fc.tuple(
      fc.constantFrom(bytes(), bytes(22, 3, 3), bytes(21, 3, 3)),
      fc.uint8Array({ maxLength: 200 }),
    );
    fc.assert(
      fc.property(opening, fc.integer({ min: 1, max: 30 }), ([head, tail], step) => {
        const stream = concat(head, tail);
        expect(watch(stream, step)).toEqual(watch(stream));
      }),
    );
  });
});
