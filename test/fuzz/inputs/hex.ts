import type fc from 'fast-check';

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}

export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

/** The same bytes in hex: inputs of a property must fit into JSON. */
export function inHex(bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<string> {
  return bytes.map(toHex);
}
