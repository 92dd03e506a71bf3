/** So many connections are accepted without a look, after one that had nothing to read. */
const SKIPPED = 32;

/**
 * Whether to look for a client's first bytes right when it was accepted. They are there when they travelled with the
 * last packet of the handshake, or when connections wait to be accepted, and then a turn of the loop is saved; elsewhere
 * they mostly come a moment later, and the look is a system call for nothing.
 */
export class ReadAhead {
  #skips = 0;

  /** To be asked once a connection. */
  isWorthIt(): boolean {
    if (this.#skips === 0) return true;
    this.#skips--;
    return false;
  }

  foundNothing(): void {
    this.#skips = SKIPPED;
  }
}
