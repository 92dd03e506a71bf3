import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClientHelloWatcher, type ClientViolation } from '../../src/tls-sni/index.ts';
import {
  buildClientHello,
  buildHandshake,
  bytes,
  type ClientHelloOptions,
  concat,
  record,
} from '../support/client-hello.ts';

const MAX_HELD = 2_000;
const FIRST = { serverName: 'allowed.example', ech: false };
const earlyData = concat(record(20, bytes(1)), record(23, new Uint8Array(700).fill(9)), record(23, bytes()));
const alert = record(21, bytes(1, 90));
const fragment = record(22, buildHandshake().subarray(0, 60));

/** Pushes `stream` in pieces of `step` bytes each overwritten afterwards as a reused buffer is; returns what passed, and the violation if there was one. */
function watch(
  stream: Uint8Array,
  step = stream.length,
  first: typeof FIRST | { serverName: null; ech: boolean } = FIRST,
) {
  const watcher = new ClientHelloWatcher(first, MAX_HELD);
  const passed: Uint8Array[] = [];
  for (let at = 0; at < stream.length; at += step) {
    const shared = stream.slice(at, at + step);
    const result = watcher.push(shared);
    if (result.kind === 'violation') {
      return { reason: result.reason, passed: concat(...passed), rest: result.bytes };
    }
    passed.push(Uint8Array.from(result.bytes));
    shared.fill(0xee);
  }
  return { reason: null, passed: concat(...passed), held: watcher.held };
}

describe('what a client may say before the server has chosen', () => {
  it.each<[string, Uint8Array]>([
    ['an alert', alert],
    ['early data', earlyData],
    ['the same name again', buildClientHello()],
    ['the same name in other case', buildClientHello({ serverName: 'ALLOWED.example' })],
    ['the same name in many records', buildClientHello({ cuts: [1, 2, 3, 4, 60, 100] })],
    ['early data, the second hello, an alert', concat(earlyData, buildClientHello(), alert)],
    ['three hellos', concat(buildClientHello(), buildClientHello(), buildClientHello())],
  ])('%s passes whole, in any pieces', (_, stream) => {
    for (const step of [1, 2, 3, 7, 100, stream.length]) {
      expect(watch(stream, step)).toEqual({ reason: null, passed: stream, held: 0 });
    }
  });

  it('passes early data before its record is whole', () => {
    const part = earlyData.subarray(0, 300);
    expect(watch(part)).toEqual({ reason: null, passed: part, held: 0 });
  });

  it('holds a second hello until its last byte', () => {
    const hello = buildClientHello();
    const almost = concat(alert, hello.subarray(0, -1));
    expect(watch(almost)).toEqual({ reason: null, passed: alert, held: hello.length - 1 });
    expect(watch(almost, 1)).toEqual({ reason: null, passed: alert, held: hello.length - 1 });
  });

  it('allows a nameless hello after a nameless one', () => {
    const hello = buildClientHello({ serverName: null });
    expect(watch(hello, 9, { serverName: null, ech: false })).toMatchObject({ reason: null, passed: hello });
  });

  it('allows ECH where the first hello had it', () => {
    const hello = buildClientHello({ ech: true });
    expect(watch(hello, 9, { serverName: 'allowed.example', ech: true })).toMatchObject({ reason: null });
  });
});

describe('a violation', () => {
  const hello = (options: ClientHelloOptions) => buildClientHello(options);

  it.each<[ClientViolation, string, Uint8Array]>([
    ['name-mismatch', 'another name', hello({ serverName: 'evil.example' })],
    ['name-mismatch', 'no name', hello({ serverName: null })],
    ['name-mismatch', 'ECH that the first hello did not have', hello({ ech: true })],
    [
      'name-mismatch',
      'another name behind early data',
      concat(earlyData, hello({ serverName: 'evil.example' })),
    ],
    ['name-mismatch', 'another name in pieces', hello({ serverName: 'evil.example', cuts: [1, 40, 90] })],
    ['malformed', 'a hello with a trailing dot', hello({ serverName: 'allowed.example.' })],
    ['malformed', 'a ClientKeyExchange', record(22, bytes(16, 0, 0, 1, 0))],
    ['malformed', 'an alert between fragments', concat(fragment, alert)],
    ['malformed', 'early data between fragments', concat(fragment, earlyData)],
    ['malformed', 'an empty handshake record', record(22, bytes())],
    ['malformed', 'an empty alert', record(21, bytes())],
    ['malformed', 'an alert of 16 385 bytes', bytes(21, 3, 3, 0x40, 1)],
    ['malformed', 'application data of 16 641 bytes', bytes(23, 3, 3, 0x41, 1)],
    ['malformed', 'a heartbeat', record(24, bytes(1))],
    ['malformed', 'plain text', bytes(0x47)],
    ['malformed', 'another major version', bytes(23, 2)],
    ['too-large', 'a hello that announces too much', bytes(22, 3, 1, 7, 0, 1, 0, 8, 0)],
    ['too-large', 'a whole hello of that size', hello({ extraExtensions: [[9, new Uint8Array(2_000)]] })],
  ])('%s: %s, in any pieces', (reason, _, stream) => {
    for (const step of [1, 5, stream.length]) {
      expect(watch(stream, step), `pieces of ${step}`).toMatchObject({ reason });
    }
  });

  it('hands back all that did not pass', () => {
    const stream = concat(earlyData, hello({ serverName: 'evil.example' }), alert);
    const whole = watch(stream);
    expect(concat(whole.passed, whole.rest ?? bytes())).toEqual(stream);
    const { passed, rest } = watch(stream, 50);
    const seen = passed.length + (rest?.length ?? 0);
    expect(concat(passed, rest ?? bytes())).toEqual(stream.subarray(0, seen));
    expect(passed).toEqual(earlyData);
  });

  it('is for good', () => {
    const watcher = new ClientHelloWatcher(FIRST, MAX_HELD);
    watcher.push(bytes(0x47));
    expect(watcher.push(alert)).toEqual({ kind: 'violation', reason: 'malformed', bytes: alert });
  });
});

describe('ClientHelloWatcher', () => {
  it('releases what it holds when the server has chosen', () => {
    const watcher = new ClientHelloWatcher(FIRST, MAX_HELD);
    watcher.push(fragment);
    expect(watcher.held).toBe(fragment.length);
    expect(watcher.release()).toEqual(fragment);
    expect(watcher.held).toBe(0);
  });

  it('passes views that later pushes leave alone', () => {
    const watcher = new ClientHelloWatcher(FIRST, MAX_HELD);
    const hello = buildClientHello();
    watcher.push(hello.slice(0, 50));
    const result = watcher.push(concat(hello.subarray(50), fragment));
    watcher.push(bytes(1, 2, 3));
    expect(result).toEqual({ kind: 'pass', bytes: hello });
  });

  it('never passes a hello of another name, whatever surrounds it and however it is cut', () => {
    const around = fc.array(fc.constantFrom(alert, earlyData, buildClientHello()), { maxLength: 4 });
    const evil = fc
      .array(fc.nat(200), { maxLength: 5 })
      .map(cuts => buildClientHello({ serverName: 'evil.example', cuts }));
    fc.assert(
      fc.property(around, evil, around, fc.integer({ min: 1, max: 400 }), (before, hello, after, step) => {
        const prefix = concat(...before);
        const { reason, passed } = watch(concat(prefix, hello, ...after), step);
        expect(reason).toBe('name-mismatch');
        expect(prefix.subarray(0, passed.length)).toEqual(passed);
      }),
    );
  });

  it('never throws and never loses a byte of random input', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 50 }), (noise, step) => {
        const stream = concat(alert, noise);
        const watcher = new ClientHelloWatcher(FIRST, MAX_HELD);
        const out: Uint8Array[] = [];
        for (let at = 0; at < stream.length; at += step) {
          out.push(Uint8Array.from(watcher.push(stream.slice(at, at + step)).bytes));
        }
        expect(concat(...out, watcher.release())).toEqual(stream);
      }),
    );
  });

  it('keeps no view of a buffer that its caller reads into again', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 50 }), (noise, step) => {
        const stream = concat(alert, noise);
        const scratch = Buffer.alloc(step);
        const watcher = new ClientHelloWatcher(FIRST, MAX_HELD);
        const out: Uint8Array[] = [];
        for (let at = 0; at < stream.length; at += step) {
          scratch.fill(0xee);
          scratch.set(stream.subarray(at, at + step));
          const { bytes } = watcher.push(scratch.subarray(0, Math.min(step, stream.length - at)));
          out.push(Uint8Array.from(bytes));
        }
        scratch.fill(0xee);
        expect(concat(...out, watcher.release())).toEqual(stream);
      }),
    );
  });
});
