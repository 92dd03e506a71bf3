/** One line of a difference: kept, taken out or put in. With its line break, if it has one. */
interface DiffLine {
  readonly sign: ' ' | '-' | '+';
  readonly text: string;
}

export interface Diff {
  /** Unified, three lines of context, no colours; empty when nothing differs. */
  readonly text: string;
  readonly added: number;
  readonly removed: number;
}

const CONTEXT = 3;
/** Texts that differ by more lines are shown as replaced between their first and last difference. */
const MAX_EDITS = 1_000;

/** The difference of two texts as `diff -u` writes it. Line breaks count: CRLF and LF differ. */
export function unifiedDiff(file: string, before: string, after: string): Diff {
  const lines = diffLines(splitLines(before), splitLines(after));
  const added = lines.filter(({ sign }) => sign === '+').length;
  const removed = lines.filter(({ sign }) => sign === '-').length;
  const text = added + removed === 0 ? '' : `--- ${file}\n+++ ${file}\n${hunks(lines).join('')}`;
  return { text, added, removed };
}

function splitLines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function diffLines(before: readonly string[], after: readonly string[]): DiffLine[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  while (
    tail < before.length - head &&
    tail < after.length - head &&
    before[before.length - 1 - tail] === after[after.length - 1 - tail]
  ) {
    tail++;
  }
  const [old, now] = [before.slice(head, before.length - tail), after.slice(head, after.length - tail)];
  return [
    ...before.slice(0, head).map(text => ({ sign: ' ', text }) as const),
    ...(shortestEdit(old, now) ?? replacement(old, now)),
    ...before.slice(before.length - tail).map(text => ({ sign: ' ', text }) as const),
  ];
}

function replacement(before: readonly string[], after: readonly string[]): DiffLine[] {
  return [
    ...before.map(text => ({ sign: '-', text }) as const),
    ...after.map(text => ({ sign: '+', text }) as const),
  ];
}

/** E. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986). Null after `MAX_EDITS` edits. */
function shortestEdit(before: readonly string[], after: readonly string[]): DiffLine[] | null {
  const trace: Map<number, number>[] = [];
  let reach = new Map([[1, 0]]);
  for (let edits = 0; edits <= Math.min(MAX_EDITS, before.length + after.length); edits++) {
    const next = new Map<number, number>();
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      let x = isInsertion(reach, diagonal, edits)
        ? (reach.get(diagonal + 1) ?? 0)
        : (reach.get(diagonal - 1) ?? 0) + 1;
      while (x < before.length && x - diagonal < after.length && before[x] === after[x - diagonal]) x++;
      next.set(diagonal, x);
      if (x >= before.length && x - diagonal >= after.length) {
        return walkBack(before, after, [...trace, reach]);
      }
    }
    trace.push(reach);
    reach = next;
  }
  return null;
}

function walkBack(
  before: readonly string[],
  after: readonly string[],
  trace: readonly ReadonlyMap<number, number>[],
): DiffLine[] {
  const lines: DiffLine[] = [];
  let x = before.length;
  let y = after.length;
  for (let edits = trace.length - 1; edits >= 0; edits--) {
    const reach = trace[edits] ?? new Map<number, number>();
    const diagonal = x - y;
    const isAdded = isInsertion(reach, diagonal, edits);
    const from = isAdded ? diagonal + 1 : diagonal - 1;
    const fromX = edits === 0 ? 0 : (reach.get(from) ?? 0);
    const fromY = edits === 0 ? 0 : fromX - from;
    const startX = edits === 0 ? 0 : isAdded ? fromX : fromX + 1;
    while (x > startX) lines.push({ sign: ' ', text: before[--x] ?? '' });
    if (edits > 0) {
      lines.push(
        isAdded ? { sign: '+', text: after[fromY] ?? '' } : { sign: '-', text: before[fromX] ?? '' },
      );
    }
    x = fromX;
    y = fromY;
  }
  return lines.reverse();
}

function isInsertion(reach: ReadonlyMap<number, number>, diagonal: number, edits: number): boolean {
  if (diagonal === -edits) return true;
  return diagonal !== edits && (reach.get(diagonal - 1) ?? -1) < (reach.get(diagonal + 1) ?? -1);
}

function hunks(lines: readonly DiffLine[]): string[] {
  const found: string[] = [];
  let [oldLine, newLine] = [1, 1];
  for (let at = 0; at < lines.length; ) {
    let first = at;
    while (first < lines.length && lines[first]?.sign === ' ') first++;
    if (first === lines.length) break;
    const start = Math.max(at, first - CONTEXT);
    oldLine += start - at;
    newLine += start - at;
    const end = hunkEnd(lines, first);
    const hunk = lines.slice(start, end);
    const olds = hunk.filter(({ sign }) => sign !== '+').length;
    const news = hunk.filter(({ sign }) => sign !== '-').length;
    found.push(`@@ -${span(oldLine, olds)} +${span(newLine, news)} @@\n${hunk.map(formatLine).join('')}`);
    oldLine += olds;
    newLine += news;
    at = end;
  }
  return found;
}

/** After the context that follows the last change which the one at `first` runs together with. */
function hunkEnd(lines: readonly DiffLine[], first: number): number {
  let last = first;
  for (let i = first; i < lines.length && i - last <= 2 * CONTEXT; i++) if (lines[i]?.sign !== ' ') last = i;
  return Math.min(lines.length, last + 1 + CONTEXT);
}

/** An empty side is placed before the line it stands at, as `diff` does. */
function span(line: number, count: number): string {
  return count === 1 ? String(line) : `${count === 0 ? line - 1 : line},${count}`;
}

function formatLine({ sign, text }: DiffLine): string {
  return text.endsWith('\n') ? sign + text : `${sign}${text}\n\\ No newline at end of file\n`;
}
