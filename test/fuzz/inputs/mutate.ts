import fc from 'fast-check';
import { concat } from '../../support/client-hello.ts';

/** Changes bytes; places are fractions of the length, so that a change means something in bytes of any length. */
type Mutation = (bytes: Uint8Array) => Uint8Array;

const PLACES = 1_000_000;
const place = fc.nat(PLACES - 1);
/** Values at the edges of lengths, of types and of text. */
const edge = fc.constantFrom(0, 1, 2, 3, 4, 0x0a, 0x0d, 0x16, 0x20, 0x22, 0x2e, 0x3a, 0x7f, 0x80, 0xfe, 0xff);

function at(fraction: number, length: number): number {
  return Math.floor((fraction / PLACES) * length);
}

const setByte = fc.tuple(place, fc.oneof(edge, fc.nat(255))).map(
  ([where, value]): Mutation =>
    bytes => {
      const changed = bytes.slice();
      if (changed.length > 0) changed[at(where, changed.length)] = value;
      return changed;
    },
);

/** Lengths are 16 bits nearly everywhere. */
const addTo16Bits = fc.tuple(place, fc.integer({ min: -4, max: 4 })).map(
  ([where, difference]): Mutation =>
    bytes => {
      if (bytes.length < 2) return bytes;
      const changed = bytes.slice();
      const view = new DataView(changed.buffer);
      const offset = at(where, changed.length - 1);
      view.setUint16(offset, (view.getUint16(offset) + difference) & 0xffff);
      return changed;
    },
);

const cutOut = fc.tuple(place, fc.nat(40)).map(
  ([where, length]): Mutation =>
    bytes => {
      const start = at(where, bytes.length + 1);
      return concat(bytes.subarray(0, start), bytes.subarray(start + length));
    },
);

const putIn = fc.tuple(place, fc.uint8Array({ maxLength: 12 })).map(
  ([where, more]): Mutation =>
    bytes => {
      const start = at(where, bytes.length + 1);
      return concat(bytes.subarray(0, start), more, bytes.subarray(start));
    },
);

const repeatPart = fc.tuple(place, place, fc.nat(120)).map(
  ([from, to, length]): Mutation =>
    bytes => {
      const part = bytes.subarray(at(from, bytes.length)).subarray(0, length);
      const start = at(to, bytes.length + 1);
      return concat(bytes.subarray(0, start), part, bytes.subarray(start));
    },
);

const cutOff = place.map(
  (where): Mutation =>
    bytes =>
      bytes.slice(0, at(where, bytes.length + 1)),
);

const mutation = fc.oneof(
  { weight: 5, arbitrary: setByte },
  { weight: 4, arbitrary: addTo16Bits },
  { weight: 2, arbitrary: cutOut },
  { weight: 2, arbitrary: putIn },
  { weight: 2, arbitrary: repeatPart },
  { weight: 1, arbitrary: cutOff },
);

/** One of `seeds`, changed in up to `most` ways. */
export function mutated(seeds: fc.Arbitrary<Uint8Array>, most = 6): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(seeds, fc.array(mutation, { maxLength: most }))
    .map(([seed, changes]) => changes.reduce((bytes, change) => change(bytes), seed));
}
