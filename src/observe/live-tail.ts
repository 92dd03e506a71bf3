/** Passes the records of flows on to whoever listens, as they are written. While nobody does, it costs nothing. */
export class LiveTail {
  readonly #listeners = new Set<(lines: Uint8Array) => void>();

  /** Hears whole lines, which it must not change. Returns what ends it. */
  listen(hear: (lines: Uint8Array) => void): () => void {
    this.#listeners.add(hear);
    return () => void this.#listeners.delete(hear);
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Whoever listens is given a copy of `lines`. */
  say(lines: Uint8Array): void {
    if (this.#listeners.size === 0) return;
    const copy = Uint8Array.from(lines);
    for (const hear of this.#listeners) hear(copy);
  }
}
