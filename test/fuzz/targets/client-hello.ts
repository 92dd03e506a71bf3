import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  CLIENT_HELLO_FAULTS,
  type ClientHelloResult,
  type ClientHelloResume,
  hostnameFault,
  parseClientHello,
} from '../../../src/tls-sni/index.ts';
import { helloStreams } from '../inputs/hellos.ts';
import { fromHex, inHex } from '../inputs/hex.ts';
import { pieceLengths, prefixesOf } from '../inputs/pieces.ts';
import { Openssl } from '../oracles/openssl.ts';
import { type Property, property } from '../property.ts';
import type { Target } from '../target.ts';

const stream = inHex(helloStreams());

const ours: readonly Property[] = [
  property(
    'a hello is read the same at any split of its bytes',
    fc.record({ stream, pieceLengths }),
    input => {
      const bytes = fromHex(input.stream);
      const whole = parseClientHello(bytes);
      assertSound(bytes, whole);
      let resume: ClientHelloResume | undefined;
      for (const prefix of prefixesOf(bytes, input.pieceLengths)) {
        const read = parseClientHello(prefix, resume);
        if (read.kind !== 'need-more') {
          assert.deepEqual(read, whole);
          return undefined;
        }
        assert.ok(read.atLeast > prefix.length, 'it asks for no more than it has');
        resume = read.resume;
      }
      if (bytes.length > 0) assert.equal(whole.kind, 'need-more');
      return undefined;
    },
  ),
  property('a hello that is cut short names nobody', fc.record({ stream, cut: fc.nat(2_000) }), input => {
    const bytes = fromHex(input.stream);
    const whole = parseClientHello(bytes);
    if (whole.kind !== 'done') return 'vacuous';
    const cut = parseClientHello(bytes.slice(0, input.cut % whole.consumed));
    assert.equal(cut.kind, 'need-more');
    return undefined;
  }),
];

function assertSound(bytes: Uint8Array, result: ClientHelloResult): void {
  switch (result.kind) {
    case 'done':
      assert.ok(result.consumed <= bytes.length, 'it took more than there was');
      if (result.serverName !== null) assert.equal(hostnameFault(result.serverName), null);
      return;
    case 'need-more':
      assert.ok(result.atLeast > bytes.length, 'it asks for no more than it has');
      return;
    case 'malformed':
      assert.ok(Object.hasOwn(CLIENT_HELLO_FAULTS, result.reason), result.reason);
      return;
    case 'not-tls':
      return;
    default:
      result satisfies never;
  }
}

/** The ClientHello parser, by itself and beside OpenSSL. */
export const clientHello: Target = {
  name: 'client-hello',
  summary: 'the ClientHello parser: any split, no name from a prefix, the name that OpenSSL reads',
  shortRuns: 300,
  open: async scope => {
    const openssl = Openssl.open(scope);
    const beside = property('a name that is accepted is the one that OpenSSL reads', stream, async hex => {
      const bytes = fromHex(hex);
      const result = parseClientHello(bytes);
      if (result.kind !== 'done') return 'vacuous';
      const { names } = await openssl.read('any', bytes.subarray(0, result.consumed));
      // OpenSSL refuses many a hello for what is none of a filter's business.
      if (names.length === 0) return 'vacuous';
      assert.deepEqual(names, [result.serverName]);
      return undefined;
    });
    return { properties: [...ours, beside], missing: [] };
  },
};
