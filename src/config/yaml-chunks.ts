/** The `rules:` sequence of a large policy, cut between rules into runs that can be parsed one by one. */
export interface SplitText {
  /** The text without its rules: what stands before them and what follows. */
  readonly skeleton: string;
  /** Offsets in the skeleton from here on lie `removed` further on in the text. */
  readonly cut: number;
  readonly removed: number;
  readonly chunks: readonly Chunk[];
}

interface Chunk {
  readonly start: number;
  readonly end: number;
  /** The index of its first rule, and how many it has. */
  readonly first: number;
  readonly rules: number;
}

/** Short runs keep the garbage young: parsing 100 000 rules in one piece spends a third of its time collecting it. */
const RULES_A_CHUNK = 100;

/**
 * Cuts at the lines that begin a rule: a dash at the indentation of the first rule. In a block sequence nothing else
 * can stand there except the inside of a multi-line quote or bracket, and then neither part parses, so a caller that
 * falls back to the whole text whenever a part has a fault reads every text as YAML means it. Null when the text does
 * not have that shape.
 */
export function splitRules(text: string): SplitText | null {
  const head = /^rules:[ \t]*(?:#[^\n]*)?\r?\n/m.exec(text);
  if (head === null) return null;
  const cut = head.index + head[0].length;
  const starts: number[] = [];
  let indent = -1;
  let at = cut;
  for (let next = at; at < text.length; at = next) {
    const newline = text.indexOf('\n', at);
    next = newline < 0 ? text.length : newline + 1;
    let content = at;
    while (text.charCodeAt(content) === 0x20) content++;
    const first = text[content];
    if (content >= next || first === '\n' || first === '\r' || first === '#') continue;
    const column = content - at;
    const isDash = first === '-' && /^-[ \r\n]/.test(text.slice(content, content + 2));
    if (indent < 0) {
      if (!isDash) return null;
      indent = column;
    }
    if (column > indent) continue;
    if (column < indent || !isDash) break;
    starts.push(at);
  }
  if (starts.length === 0) return null;
  const chunks: Chunk[] = [];
  for (let first = 0; first < starts.length; first += RULES_A_CHUNK) {
    const rules = Math.min(RULES_A_CHUNK, starts.length - first);
    chunks.push({ start: starts[first] ?? 0, end: starts[first + rules] ?? at, first, rules });
  }
  return { skeleton: text.slice(0, cut) + text.slice(at), cut, removed: at - cut, chunks };
}
