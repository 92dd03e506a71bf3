/** Texts laid end to end. */
export class BytePool {
  #bytes = new Uint8Array(1024);
  #length = 0;

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Where the ASCII text begins. */
  add(text: string): number {
    const offset = this.#length;
    if (offset + text.length > this.#bytes.length) this.#grow(offset + text.length);
    for (let i = 0; i < text.length; i++) this.#bytes[offset + i] = text.charCodeAt(i);
    this.#length = offset + text.length;
    return offset;
  }

  /** Where any other text begins, as UTF-8, and how many bytes it takes. */
  addUtf8(text: string): { offset: number; length: number } {
    const bytes = new TextEncoder().encode(text);
    const offset = this.#length;
    if (offset + bytes.length > this.#bytes.length) this.#grow(offset + bytes.length);
    this.#bytes.set(bytes, offset);
    this.#length = offset + bytes.length;
    return { offset, length: bytes.length };
  }

  #grow(least: number): void {
    const larger = new Uint8Array(Math.max(least, 2 * this.#bytes.length));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}
