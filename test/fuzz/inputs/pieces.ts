import fc from 'fast-check';

/** Where bytes are cut, as lengths of pieces that come again and again. */
export const pieceLengths: fc.Arbitrary<number[]> = fc.array(
  fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 700 })),
  { minLength: 1, maxLength: 6 },
);

/** The pieces of `bytes`, each a copy. */
export function* piecesOf(bytes: Uint8Array, lengths: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const end = at + (lengths[i % lengths.length] ?? bytes.length);
    yield bytes.slice(at, end);
    at = end;
  }
}

/** The prefixes of `bytes` that end where its pieces end; none for no bytes. */
export function* prefixesOf(bytes: Uint8Array, lengths: readonly number[]): Generator<Uint8Array> {
  let length = 0;
  for (const piece of piecesOf(bytes, lengths)) {
    length += piece.length;
    yield bytes.slice(0, length);
  }
}
