import { describe, expect, it } from 'vitest';
import { TlsWatch } from '../../src/dataplane/tls-watch.ts';
import { buildClientHello, bytes, concat, record } from '../support/client-hello.ts';

const RETRY_RANDOM = Uint8Array.from(
  Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex'),
);
const serverHello = (random: Uint8Array) => {
  const body = concat(bytes(3, 3), random, bytes(0, 0x13, 1, 0, 0, 4, 0, 43, 0, 0));
  return record(22, concat(bytes(2, 0, 0, body.length), body));
};
const RETRY = serverHello(RETRY_RANDOM);
const CHOSEN = serverHello(new Uint8Array(32).fill(1));
const SAME = buildClientHello();
const EVIL = buildClientHello({ serverName: 'evil.example' });
const EARLY_DATA = concat(record(20, bytes(1)), record(23, new Uint8Array(300).fill(9)));
const FIRST = { serverName: 'allowed.example', ech: false, alpn: [], versions: [], legacyVersion: 0x0303 };

const watch = (cuts = true) => new TlsWatch(FIRST, { cuts, maxHeld: 4_096, onViolation: () => {} });

describe('TlsWatch in enforce mode', () => {
  it('passes all of the server’s bytes as they are', () => {
    const watcher = watch();
    for (const chunk of [RETRY, CHOSEN, bytes(1, 2, 3)]) expect(watcher.fromServer(chunk)).toEqual(chunk);
  });

  it('is over once the server has chosen', () => {
    const watcher = watch();
    expect(watcher.over).toBe(false);
    watcher.fromServer(CHOSEN);
    expect(watcher.over).toBe(true);
  });

  it('is not over after a HelloRetryRequest', () => {
    const watcher = watch();
    watcher.fromServer(RETRY);
    expect(watcher.over).toBe(false);
  });

  it('passes a second hello of the same name, then ends with the server’s choice', () => {
    const watcher = watch();
    watcher.fromServer(RETRY);
    expect(watcher.fromClient(SAME)).toEqual(SAME);
    watcher.fromServer(CHOSEN);
    expect([watcher.over, watcher.violated]).toEqual([true, false]);
  });

  it.each([
    ['whole', EVIL.length],
    ['byte by byte', 1],
  ])('cuts a second hello of another name, %s, before a byte of it passes', (_, step) => {
    const watcher = watch();
    watcher.fromServer(RETRY);
    const passed: (Uint8Array | null)[] = [];
    for (let at = 0; at < EVIL.length; at += step) passed.push(watcher.fromClient(EVIL.slice(at, at + step)));
    expect(passed.at(-1)).toBeNull();
    expect(concat(...passed.flatMap(chunk => chunk ?? []))).toEqual(bytes());
    expect([watcher.violated, watcher.over]).toEqual([true, false]);
  });

  it('goes on cutting after a violation', () => {
    const watcher = watch();
    watcher.fromClient(EVIL);
    expect(watcher.fromClient(bytes(23, 3, 3, 0, 1, 0))).toBeNull();
  });

  it('cuts a hello of another name even where no retry was asked for', () => {
    expect(watch().fromClient(EVIL)).toBeNull();
  });

  it('holds a second hello and releases it whole', () => {
    const watcher = watch();
    watcher.fromServer(RETRY);
    expect(watcher.fromClient(SAME.slice(0, 100))).toEqual(bytes());
    expect(watcher.fromClient(SAME.slice(100))).toEqual(SAME);
  });

  it('lets early data pass', () => {
    expect(watch().fromClient(EARLY_DATA)).toEqual(EARLY_DATA);
  });

  it('loses nothing it held when the server chooses meanwhile', () => {
    const watcher = watch();
    const held = SAME.slice(0, 100);
    expect(watcher.fromClient(held)).toEqual(bytes());
    watcher.fromServer(CHOSEN);
    expect(watcher.over).toBe(false);
    expect(Buffer.from(watcher.fromClient(bytes(1, 2)) ?? [])).toEqual(
      Buffer.from(concat(held, bytes(1, 2))),
    );
    expect(watcher.over).toBe(true);
  });

  it('keeps watching the client after an alert or plain text of the server', () => {
    for (const answer of [record(21, bytes(2, 40)), bytes(0x48, 0x54, 0x54, 0x50)]) {
      const watcher = watch();
      watcher.fromServer(answer);
      expect(watcher.over).toBe(false);
      expect(watcher.fromClient(EVIL)).toBeNull();
    }
  });
});

describe('TlsWatch where it only observes', () => {
  it('notes another name and passes every byte, once', () => {
    const watcher = watch(false);
    const stream = concat(EARLY_DATA, EVIL, bytes(1, 2, 3));
    for (const step of [1, 50, stream.length]) {
      const fresh = watch(false);
      const passed: Uint8Array[] = [];
      for (let at = 0; at < stream.length; at += step) {
        passed.push(Uint8Array.from(fresh.fromClient(stream.slice(at, at + step)) ?? []));
      }
      expect(concat(...passed)).toEqual(stream);
      expect([fresh.violated, fresh.over]).toEqual([true, true]);
    }
    expect(watcher.over).toBe(false);
  });
});
