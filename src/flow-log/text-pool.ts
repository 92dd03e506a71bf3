/**
 * Keeps one copy of each text. A part of a larger string holds all of it in memory as long as it lives, so what is
 * kept of a log line has to be copied; and few addresses, names and rules make up most of a log.
 */
export class TextPool {
  readonly #maxTexts: number;
  readonly #texts = new Map<string, string>();

  constructor(maxTexts = 100_000) {
    this.#maxTexts = maxTexts;
  }

  /** An equal text that holds no other in memory. */
  own(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (this.#texts.size >= this.#maxTexts) this.#texts.clear();
    const copy = Buffer.from(text, 'utf16le').toString('utf16le');
    this.#texts.set(copy, copy);
    return copy;
  }

  ownOrNull(text: string | null): string | null {
    return text === null ? null : this.own(text);
  }
}
