const MIN_CAPACITY = 4096;
const NOTHING = new Uint8Array(0);

/**
 * The client's bytes that have been read but not yet sent on. The first chunk is only borrowed, because most openings
 * arrive whole and are judged before the read returns; `keep` copies it when they are not.
 */
export class OpeningBuffer {
  #bytes: Uint8Array = NOTHING;
  #length = 0;
  #borrowed = false;

  get length(): number {
    return this.#length;
  }

  /** All bytes so far: a view, valid until the next append or `keep`. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  append(chunk: Uint8Array): void {
    if (this.#length === 0) {
      this.#bytes = chunk;
      this.#length = chunk.length;
      this.#borrowed = true;
      return;
    }
    this.#reserve(this.#length + chunk.length);
    this.#bytes.set(chunk, this.#length);
    this.#length += chunk.length;
  }

  /** Drops the first `count` bytes. */
  consume(count: number): void {
    this.#bytes = this.#bytes.subarray(count);
    this.#length -= count;
  }

  replace(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#length = bytes.length;
    this.#borrowed = false;
  }

  /** Hands all bytes over and is empty. They are the caller's own. */
  take(): Uint8Array {
    this.keep();
    const bytes = this.view();
    this.replace(NOTHING);
    return bytes;
  }

  /** Makes the bytes our own, so that they outlive the caller's chunk. */
  keep(): void {
    if (this.#borrowed) this.#reserve(this.#length);
  }

  #reserve(capacity: number): void {
    if (!this.#borrowed && capacity <= this.#bytes.length) return;
    // Doubling keeps byte-by-byte openings linear; a borrowed whole one is copied to its size.
    const size =
      this.#borrowed && capacity === this.#length ? capacity : Math.max(MIN_CAPACITY, 2 * capacity);
    // Small ones come from Node's pool: memory of their own costs more than the rest of the copy.
    const own = Buffer.allocUnsafe(size);
    own.set(this.view());
    this.#bytes = own;
    this.#borrowed = false;
  }
}
