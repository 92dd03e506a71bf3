/** No configuration of ours nests deeper than six; the parser recurses, and a stack that runs out can end the process. */
const MAX_DEPTH = 100;
/** Columns before the first word of a line: block collections nest by these. */
const MAX_INDENT = 1_000;

/**
 * Whether a text nests so deeply that it must not be parsed. Reads brackets without regard to quotes, which can only
 * count too many; a line that begins in the first column ends what was open before.
 */
export function nestsTooDeeply(text: string): boolean {
  let depth = 0;
  let lineStart = 0;
  let isIndent = true;
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? '';
    if (char === '\n') {
      lineStart = at + 1;
      isIndent = true;
      continue;
    }
    if (isIndent && !' -?:\t'.includes(char)) {
      isIndent = false;
      if (at === lineStart && !'[]{}'.includes(char)) depth = 0;
    }
    if (isIndent && at - lineStart > MAX_INDENT) return true;
    if (char === '[' || char === '{') depth++;
    else if (char === ']' || char === '}') depth = Math.max(0, depth - 1);
    if (depth > MAX_DEPTH) return true;
  }
  return false;
}
