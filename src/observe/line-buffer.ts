import { escapeJson, escapeValue } from './escape.ts';
import type { LogFormat } from './log.ts';

const NULL = Buffer.from('null');
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** What one UTF-16 unit can grow to: `\uHHHH` with its backslash escaped once more. */
export const MAX_BYTES_PER_UNIT = 7;

/** Up to so many a loop copies faster than a call. */
const MAX_LOOPED_BYTES = 32;

/** Which ASCII codes stand in a JSON string as they are, and which also in the value of a `KEY=value` field. */
const PLAIN_IN_JSON = codes(code => code >= 0x20 && code < 0x7f && code !== QUOTE && code !== BACKSLASH);
const PLAIN_IN_VALUE = codes(code => escapeValue(String.fromCharCode(code)).length === 1);

/**
 * Puts a line together in memory of its own, byte by byte. Each kind of text has a verb that keeps it from breaking out:
 * most text is plain and is copied by a loop, which takes a third of the time of strings and leaves no garbage; the rest
 * takes the long way. The caller makes sure that there is room.
 */
export class LineBuffer {
  readonly #bytes: Uint8Array;
  /** How many bytes were put. */
  length = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** How many bytes more can be put. */
  get room(): number {
    return this.#bytes.length - this.length;
  }

  /** Bytes that are known to be safe here: what every line has, or what `since` gave. */
  fixed(bytes: Uint8Array): void {
    const to = this.#bytes;
    if (bytes.length > MAX_LOOPED_BYTES) to.set(bytes, this.length);
    else for (let i = 0; i < bytes.length; i++) to[this.length + i] = bytes[i] ?? 0;
    this.length += bytes.length;
  }

  /** A copy of what was put since `length` was `start`. */
  since(start: number): Uint8Array {
    return Uint8Array.from(this.#bytes.subarray(start, this.length));
  }

  /** ASCII text that is known to be safe here. */
  plain(text: string): void {
    const bytes = this.#bytes;
    let at = this.length;
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    this.length = at;
  }

  /** A whole number, at least 0. */
  integer(value: number): void {
    let width = 1;
    for (let bound = 10; value >= bound; bound *= 10) width++;
    this.digits(value, width);
  }

  /** The last `width` digits of a whole number, at least 0. */
  digits(value: number, width: number): void {
    let rest = value;
    for (let at = this.length + width - 1; at >= this.length; at--) {
      const tenth = Math.floor(rest / 10);
      this.#bytes[at] = 0x30 + rest - 10 * tenth;
      rest = tenth;
    }
    this.length += width;
  }

  /** Any text as a JSON string in ASCII, with its quotes; null as `null`. */
  json(text: string | null): void {
    if (text === null) return this.fixed(NULL);
    this.#bytes[this.length++] = QUOTE;
    if (!this.#copyWhere(PLAIN_IN_JSON, text)) this.plain(escapeJson(text));
    this.#bytes[this.length++] = QUOTE;
  }

  /** Any text as the value of a `KEY=value` field (see `escapeValue`): in text, or inside a JSON string. */
  value(format: LogFormat, text: string | null): void {
    if (text !== null && text !== '' && this.#copyWhere(PLAIN_IN_VALUE, text)) return;
    const escaped = escapeValue(text);
    this.plain(format === 'json' ? escapeJson(escaped) : escaped);
  }

  /** Copies `text` if all of it is of the given codes; else leaves no trace. */
  #copyWhere(isPlain: Uint8Array, text: string): boolean {
    const bytes = this.#bytes;
    let at = this.length;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (isPlain[code] !== 1) return false;
      bytes[at++] = code;
    }
    this.length = at;
    return true;
  }
}

function codes(isIn: (code: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 0x80 }, (_, code) => (isIn(code) ? 1 : 0));
}
