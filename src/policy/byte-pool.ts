/** ASCII texts laid end to end, each distinct text once. */
export class BytePool {
  readonly #bytes: number[] = [];
  readonly #offsets = new Map<string, number>();

  get bytes(): ArrayLike<number> {
    return this.#bytes;
  }

  /** Where the text begins. */
  add(text: string): number {
    const known = this.#offsets.get(text);
    if (known !== undefined) return known;
    const offset = this.#bytes.length;
    for (let i = 0; i < text.length; i++) this.#bytes.push(text.charCodeAt(i));
    this.#offsets.set(text, offset);
    return offset;
  }
}
