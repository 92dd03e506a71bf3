/** Replaces `start` to `end` of a text, offsets into it as it was. */
export interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Applies splices that do not overlap; those at one place in their order. */
export function applySplices(text: string, splices: readonly Splice[]): string {
  const ordered = [...splices].sort((a, b) => a.start - b.start);
  let result = '';
  let at = 0;
  for (const splice of ordered) {
    result += text.slice(at, splice.start) + splice.text;
    at = splice.end;
  }
  return result + text.slice(at);
}

/** The offset at which the line of `offset` begins. */
export function lineStart(text: string, offset: number): number {
  return offset === 0 ? 0 : text.lastIndexOf('\n', offset - 1) + 1;
}

/** The offset after the line of `offset` and its break; `offset` itself when a line begins there. */
export function nextLine(text: string, offset: number): number {
  if (offset > 0 && text[offset - 1] === '\n') return offset;
  const newline = text.indexOf('\n', offset);
  return newline < 0 ? text.length : newline + 1;
}

/** Whether only blanks stand before `offset` on its line. */
export function beginsLine(text: string, offset: number): boolean {
  return /^[ \t]*$/.test(text.slice(lineStart(text, offset), offset));
}

/** Whether only blanks and a comment follow `offset` on its line. */
export function endsLine(text: string, offset: number): boolean {
  return /^(?:[ \t]*|[ \t]+#.*|#.*)$/.test(text.slice(offset, nextLine(text, offset)).trimEnd());
}

/** Puts whole lines, which have no breaks, after the line of `offset`. */
export function insertLines(text: string, offset: number, lines: readonly string[], eol: string): Splice {
  const at = nextLine(text, offset);
  const isAfterBreak = at === 0 || text[at - 1] === '\n';
  const block = lines.join(eol);
  return { start: at, end: at, text: isAfterBreak ? block + eol : eol + block };
}

/** The first line break of a text; a newline where it has none. */
export function lineBreakOf(text: string): string {
  const newline = text.indexOf('\n');
  return newline > 0 && text[newline - 1] === '\r' ? '\r\n' : '\n';
}
