/** Where a rule begins, and each of its hosts: offsets into the text. */
export interface RulePlace {
  readonly offset: number;
  readonly hosts: readonly number[];
}

/** Items of `rules`, and beside them their places. */
export interface PlainRules {
  readonly values: readonly unknown[];
  readonly places: readonly RulePlace[];
}

/**
 * Reads the items of `rules` in `text[start, end)` when they are written as rules mostly are: one key a line or in
 * braces on one line, lists in brackets or below their key, and values that are words, numbers or quoted printable
 * ASCII without escapes. Takes a tenth of the time that a YAML parser needs. Null for anything else, right or wrong:
 * the parser is to be asked then. What is read here means the same in YAML.
 */
export function readPlainRules(text: string, start: number, end: number): PlainRules | null {
  try {
    return new PlainReader(text, start, end).rules();
  } catch (error) {
    if (error instanceof NotPlain) return null;
    throw error;
  }
}

class NotPlain extends Error {}

/** Deeper than any rule. */
const MAX_DEPTH = 6;
/** YAML bounds a key at 1024 characters; ours are words. */
const MAX_KEY_LENGTH = 64;
/** What YAML 1.2's core schema (§10.3.2) takes for a number, of texts that begin with a digit. */
const NUMBER = /^(?:\d+|0o[0-7]+|0x[\da-fA-F]+|\d+\.\d*|\d+(?:\.\d*)?[eE][-+]?\d+)$/;
/** Numbers that need no thought. */
const SMALL_INTEGER = /^(?:0|[1-9]\d{0,8})$/;
/** Words that are no text in the core schema, or nearly. */
const RESERVED_WORD = /^(?:true|false|null)$/i;

const NEWLINE = 0x0a;
const SPACE = 0x20;
const DOUBLE_QUOTE = 0x22;
const HASH = 0x23;
const SINGLE_QUOTE = 0x27;
const COMMA = 0x2c;
const DASH = 0x2d;
const COLON = 0x3a;
const BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const BRACKET_END = 0x5d;
const BRACE = 0x7b;
const BRACE_END = 0x7d;
const DELETE = 0x7f;

class PlainReader {
  readonly #text: string;
  readonly #end: number;
  #at: number;
  /** Of the line that `#at` stands in, where its first word begins; -1 behind the last line. */
  #column = -1;

  constructor(text: string, start: number, end: number) {
    this.#text = text;
    this.#at = start;
    this.#end = end;
  }

  rules(): PlainRules {
    const values: unknown[] = [];
    const places: RulePlace[] = [];
    this.#toNextWord();
    const column = this.#column;
    if (column === -1) throw new NotPlain();
    while (this.#column !== -1) {
      if (this.#column !== column) throw new NotPlain();
      this.#takeDash();
      const offset = this.#at;
      const hosts: number[] = [];
      values.push(this.#char() === BRACE ? this.#bracedRule(hosts) : this.#blockRule(column, hosts));
      places.push({ offset, hosts });
    }
    return { values, places };
  }

  #bracedRule(hosts: number[]): unknown {
    const rule = this.#flowMap(1, hosts);
    this.#endLine();
    return rule;
  }

  /** Keys below one another, the first of them behind the dash at `dashColumn`. */
  #blockRule(dashColumn: number, hosts: number[]): unknown {
    const rule: Record<string, unknown> = {};
    const column = this.#column;
    do {
      const key = this.#newKey(rule);
      const places = key === 'hosts' ? hosts : null;
      const behindKey = this.#at;
      this.#skipSpaces();
      const char = this.#char();
      if (char === NEWLINE || char === HASH) {
        this.#at = behindKey;
        this.#endLine();
        rule[key] = this.#blockList(column, places);
      } else {
        rule[key] = this.#value(0, places);
        this.#endLine();
      }
    } while (this.#column === column);
    if (this.#column > dashColumn) throw new NotPlain();
    return rule;
  }

  /** Dashes below a key; they may stand in the column of the key itself. */
  #blockList(keyColumn: number, places: number[] | null): unknown[] {
    const list: unknown[] = [];
    const column = this.#column;
    if (column < keyColumn) throw new NotPlain();
    while (this.#column === column && this.#char() === DASH) {
      this.#takeDash();
      places?.push(this.#at);
      list.push(this.#scalar(false));
      this.#endLine();
    }
    if (list.length === 0 || this.#column > keyColumn) throw new NotPlain();
    return list;
  }

  /** A value that ends in its line. `depth`: the brackets and braces around it. */
  #value(depth: number, places: number[] | null): unknown {
    if (depth > MAX_DEPTH) throw new NotPlain();
    const char = this.#char();
    if (char === BRACKET) return this.#flowList(depth + 1, places);
    return char === BRACE ? this.#flowMap(depth + 1, null) : this.#scalar(depth > 0);
  }

  #flowList(depth: number, places: number[] | null): unknown[] {
    const list: unknown[] = [];
    this.#at++;
    this.#skipSpaces();
    if (this.#char() === BRACKET_END) {
      this.#at++;
      return list;
    }
    do {
      this.#skipSpaces();
      places?.push(this.#at);
      list.push(this.#value(depth, null));
    } while (this.#takeComma(BRACKET_END));
    return list;
  }

  #flowMap(depth: number, hosts: number[] | null): Record<string, unknown> {
    const map: Record<string, unknown> = {};
    this.#at++;
    do {
      this.#skipSpaces();
      const key = this.#newKey(map);
      if (this.#char() !== SPACE) throw new NotPlain();
      this.#skipSpaces();
      map[key] = this.#value(depth, key === 'hosts' ? hosts : null);
    } while (this.#takeComma(BRACE_END));
    return map;
  }

  /** Whether another item follows in a list or map that ends with `end`. */
  #takeComma(end: number): boolean {
    this.#skipSpaces();
    const char = this.#char();
    if (char !== COMMA && char !== end) throw new NotPlain();
    this.#at++;
    return char === COMMA;
  }

  /** A word such as `s3` and its colon; not one that the map has already. */
  #newKey(map: Readonly<Record<string, unknown>>): string {
    const start = this.#at;
    if (isLetter(this.#char()))
      do this.#at++;
      while (isLetter(this.#char()) || isDigit(this.#char()));
    const key = this.#text.slice(start, this.#at);
    const isKey =
      key !== '' && !RESERVED_WORD.test(key) && key.length <= MAX_KEY_LENGTH && this.#char() === COLON;
    if (!isKey || Object.hasOwn(map, key)) throw new NotPlain();
    this.#at++;
    const next = this.#char();
    if (next !== SPACE && next !== NEWLINE) throw new NotPlain();
    return key;
  }

  #scalar(isInFlow: boolean): unknown {
    const char = this.#char();
    if (char === DOUBLE_QUOTE || char === SINGLE_QUOTE) return this.#quoted(char);
    const start = this.#at;
    if (!isLetter(char) && !isDigit(char)) throw new NotPlain();
    while (isWordCharacter(this.#char())) this.#at++;
    // Behind a word stands a space, the end of the line, or what ends it in brackets; a colon would make it a key.
    const next = this.#char();
    const isEnd = next === SPACE || next === NEWLINE;
    if (!isEnd && !(isInFlow && isFlowEnd(next))) throw new NotPlain();
    const word = this.#text.slice(start, this.#at);
    if (this.#text.charCodeAt(this.#at - 1) === COLON) throw new NotPlain();
    return isDigit(char) ? numberOrText(word) : booleanOrText(word);
  }

  #quoted(quote: number): string {
    const start = ++this.#at;
    for (let char = this.#char(); char !== quote; char = this.#char()) {
      if (char < SPACE || char >= DELETE || (char === BACKSLASH && quote === DOUBLE_QUOTE))
        throw new NotPlain();
      this.#at++;
    }
    const text = this.#text.slice(start, this.#at++);
    // Two single quotes are one in the text; a colon makes it a key.
    if (this.#char() === quote || this.#char() === COLON) throw new NotPlain();
    return text;
  }

  /** A dash and the spaces behind it; what follows begins a column of its own. */
  #takeDash(): void {
    const start = this.#at;
    if (this.#char() !== DASH) throw new NotPlain();
    this.#at++;
    this.#skipSpaces();
    if (this.#at === start + 1 || this.#char() === NEWLINE || this.#char() === HASH) throw new NotPlain();
    this.#column += this.#at - start;
  }

  /** Takes the rest of a line, which holds a comment at most, and goes to the next word. */
  #endLine(): void {
    const start = this.#at;
    this.#skipSpaces();
    if (this.#char() === HASH && this.#at > start) this.#skipComment();
    if (this.#char() !== NEWLINE) throw new NotPlain();
    this.#at++;
    this.#toNextWord();
  }

  /** To the first word of the next line that is neither empty nor a comment. */
  #toNextWord(): void {
    for (;;) {
      const start = this.#at;
      this.#skipSpaces();
      if (this.#at >= this.#end) {
        this.#column = -1;
        return;
      }
      this.#column = this.#at - start;
      if (this.#char() === HASH) this.#skipComment();
      if (this.#char() !== NEWLINE) return;
      this.#at++;
    }
  }

  #skipComment(): void {
    for (let char = this.#char(); char !== NEWLINE; char = this.#char()) {
      if (char < SPACE) throw new NotPlain();
      this.#at++;
    }
  }

  #skipSpaces(): void {
    while (this.#char() === SPACE) this.#at++;
  }

  /** The end of the text ends its last line. */
  #char(): number {
    return this.#at < this.#end ? this.#text.charCodeAt(this.#at) : NEWLINE;
  }
}

function numberOrText(word: string): unknown {
  if (!NUMBER.test(word)) return word;
  if (!SMALL_INTEGER.test(word)) throw new NotPlain();
  return Number(word);
}

function booleanOrText(word: string): unknown {
  if (word.length > 5 || !RESERVED_WORD.test(word)) return word;
  if (word === 'true') return true;
  if (word === 'false') return false;
  throw new NotPlain();
}

function isLetter(char: number): boolean {
  return (char >= 0x61 && char <= 0x7a) || (char >= 0x41 && char <= 0x5a);
}

function isDigit(char: number): boolean {
  return char >= 0x30 && char <= 0x39;
}

/** Letters, digits and `. - _ / * :`, none of which ends a plain scalar while another of them follows. */
function isWordCharacter(char: number): boolean {
  return isLetter(char) || (char >= DASH && char <= COLON) || char === 0x5f || char === 0x2a;
}

function isFlowEnd(char: number): boolean {
  return char === COMMA || char === BRACKET_END || char === BRACE_END;
}
