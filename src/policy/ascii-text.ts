/** A short text that was laid down in ASCII. */
export function asciiText(bytes: Uint8Array, offset: number, length: number): string {
  // A third of what spreading takes: that goes through an iterator.
  return Reflect.apply(String.fromCharCode, undefined, bytes.subarray(offset, offset + length));
}
