import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  ClientHelloWatcher,
  type ClientViolation,
  parseClientHello,
  ServerHelloWatcher,
  sameHostname,
} from '../../../src/tls-sni/index.ts';
import { bytes, concat, record, toRecords } from '../../support/client-hello.ts';
import { helloWithShare } from '../../support/key-share-hello.ts';
import { buildHelloRetryRequest, buildServerHello } from '../../support/server-hello.ts';
import { fromHex, inHex } from '../inputs/hex.ts';
import { mutated } from '../inputs/mutate.ts';
import { names } from '../inputs/names.ts';
import { pieceLengths, piecesOf } from '../inputs/pieces.ts';
import { Openssl } from '../oracles/openssl.ts';
import { property } from '../property.ts';
import type { Target } from '../target.ts';

const MAX_HELD = 65_536;
const NAME = 'allowed.example';
const FIRST = toRecords(helloWithShare(NAME, 'x25519'));

const CHANGE_CIPHER_SPEC = record(20, bytes(1));
/** What a client may say between its hellos. */
const between = fc.array(
  fc.oneof(
    fc.constant(CHANGE_CIPHER_SPEC),
    fc.constant(record(21, bytes(1, 0))),
    fc.uint8Array({ maxLength: 30 }).map(data => record(23, data)),
  ),
  { maxLength: 3 },
);
const cuts = fc.array(fc.nat(200), { maxLength: 3 });
const secondName = fc.oneof(
  fc.constant(NAME),
  fc.constantFrom(NAME, 'ALLOWED.example', 'denied.example', 'allowed.exampleq', null),
  names,
);

const honest = fc
  .tuple(between, fc.constantFrom(NAME, 'Allowed.Example'), cuts)
  .map(([before, name, at]) => concat(...before, toRecords(helloWithShare(name, 'secp384r1'), at)));
const second = fc
  .tuple(between, secondName, cuts, between)
  .map(([before, name, at, after]) =>
    concat(...before, toRecords(helloWithShare(name, 'secp384r1'), at), ...after),
  );
/** Two hellos in a row: a filter that stops watching after the first of them is fooled by the second. */
const twice = fc.tuple(second, second).map(([a, b]) => concat(a, b));
const continuation = fc.oneof(
  { weight: 3, arbitrary: second },
  { weight: 4, arbitrary: mutated(second, 4) },
  { weight: 1, arbitrary: twice },
  { weight: 1, arbitrary: mutated(twice, 4) },
);

interface Watched {
  readonly passed: Uint8Array;
  readonly violation: ClientViolation | null;
}

/** What goes upstream of what follows the first hello. */
function watch(stream: Uint8Array, lengths: readonly number[]): Watched {
  const first = parseClientHello(FIRST);
  assert.ok(first.kind === 'done');
  const watcher = new ClientHelloWatcher(first, MAX_HELD);
  const passed: Uint8Array[] = [];
  for (const piece of piecesOf(stream, lengths)) {
    const watched = watcher.push(piece);
    if (watched.kind === 'violation') {
      const all = concat(...passed, watched.bytes);
      assert.deepEqual(all, stream.slice(0, all.length), 'bytes were changed or put in another order');
      return { passed: concat(...passed), violation: watched.reason };
    }
    passed.push(watched.bytes.slice());
  }
  const all = concat(...passed, watcher.release());
  assert.deepEqual(all, stream, 'bytes were changed, lost or put in another order');
  return { passed: concat(...passed), violation: null };
}

const pieces = property(
  'a second hello is judged the same at any split of its bytes',
  fc.record({ stream: inHex(continuation), pieceLengths }),
  input => {
    const stream = fromHex(input.stream);
    const [whole, split] = [watch(stream, [stream.length]), watch(stream, input.pieceLengths)];
    // Which of its faults is told first depends on what is there yet.
    assert.equal(
      split.violation === null,
      whole.violation === null,
      `${split.violation}, ${whole.violation}`,
    );
    if (whole.violation === null) assert.deepEqual(split.passed, whole.passed);
    return undefined;
  },
);

const honestPasses = property(
  'a second hello of the same name passes',
  fc.record({ stream: inHex(honest), pieceLengths }),
  input => {
    const stream = fromHex(input.stream);
    assert.deepEqual(watch(stream, input.pieceLengths), { passed: stream, violation: null });
    return undefined;
  },
);

const RETRY = buildHelloRetryRequest();
const CHOICE = buildServerHello();
const WARNING = record(21, bytes(1, 112));
const serverStream = fc.record({
  before: fc.array(fc.constantFrom(CHANGE_CIPHER_SPEC, WARNING), { maxLength: 2 }),
  retries: fc.nat(2),
  between: fc.array(fc.constantFrom(CHANGE_CIPHER_SPEC, WARNING), { maxLength: 2 }),
  cuts: fc.array(fc.nat(90), { maxLength: 3 }),
});

const serverChoice = property(
  'a HelloRetryRequest is never taken for the choice of the server',
  fc.record({
    opening: serverStream.map(({ before, retries, between, cuts: at }) => {
      const retry = toRecords(RETRY.subarray(5), at);
      const head = [...before, ...Array.from({ length: retries }, () => retry), ...between];
      return { retries, head: Buffer.concat(head).toString('hex') };
    }),
    cuts,
    pieceLengths,
  }),
  input => {
    const watcher = new ServerHelloWatcher();
    for (const piece of piecesOf(fromHex(input.opening.head), input.pieceLengths)) {
      assert.equal(watcher.push(piece).kind, 'need-more');
    }
    const retried = input.opening.retries > 0;
    let last = watcher.push(new Uint8Array(0));
    assert.deepEqual(last, { kind: 'need-more', retried });
    for (const piece of piecesOf(toRecords(CHOICE.subarray(5), input.cuts), input.pieceLengths)) {
      last = watcher.push(piece);
    }
    assert.deepEqual(last, { kind: 'done', message: 'server-hello', retried });
    return undefined;
  },
);

const serverSplit = property(
  'what a server says is read the same at any split of its bytes',
  fc.record({
    stream: inHex(
      mutated(fc.constantFrom(concat(RETRY, CHOICE), concat(CHANGE_CIPHER_SPEC, CHOICE), WARNING), 4),
    ),
    pieceLengths,
  }),
  input => {
    const stream = fromHex(input.stream);
    if (stream.length === 0) return 'vacuous';
    const [whole, split] = [new ServerHelloWatcher(), new ServerHelloWatcher()];
    const expected = whole.push(stream);
    let last = split.push(new Uint8Array(0));
    for (const piece of piecesOf(stream, input.pieceLengths)) last = split.push(piece);
    assert.deepEqual({ ...last, retried: false }, { ...expected, retried: false });
    return undefined;
  },
);

/** What follows the first hello, on both sides, beside OpenSSL that asks again. */
export const helloRetry: Target = {
  name: 'hello-retry',
  summary: 'the second ClientHello after a HelloRetryRequest: nothing for another name goes to OpenSSL',
  shortRuns: 200,
  open: async scope => {
    const openssl = Openssl.open(scope);
    const beside = property(
      'no second hello for another name is forwarded to OpenSSL',
      fc.record({ stream: inHex(continuation), pieceLengths }),
      async input => {
        const { passed } = watch(fromHex(input.stream), input.pieceLengths);
        const { names: seen, retried } = await openssl.read('retry', FIRST, passed);
        assert.ok(retried, 'OpenSSL did not ask again');
        const [first, ...later] = seen;
        assert.equal(first, NAME);
        for (const name of later) assert.ok(name !== null && sameHostname(name, NAME), `forwarded ${name}`);
        return later.length > 0 ? undefined : 'vacuous';
      },
    );
    return { properties: [pieces, honestPasses, serverChoice, serverSplit, beside], missing: [] };
  },
};
