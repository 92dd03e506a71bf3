import type { YAMLMap, YAMLSeq } from 'yaml';
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  type Pair,
} from 'yaml';
import { type DocumentPath, formatPath } from './diagnostics.ts';
import { beginsLine, endsLine, insertLines, lineStart, nextLine, type Splice } from './text-splice.ts';
import { blockItem, inlineYaml, type YamlValue } from './yaml-literal.ts';

/** One change to the plain values of a YAML document. */
export type YamlEdit =
  /** Gives a key of a map another value, or adds the key: behind `after`, else behind the last. */
  | { readonly kind: 'set'; readonly path: DocumentPath; readonly value: string; readonly after?: string }
  /** Takes a key out of a map, if it is there. */
  | { readonly kind: 'unset'; readonly path: DocumentPath }
  /** Adds items to the end of a list. */
  | { readonly kind: 'append'; readonly path: DocumentPath; readonly values: readonly YamlValue[] }
  | { readonly kind: 'removeItems'; readonly path: DocumentPath; readonly indices: readonly number[] };

type Append = Pick<Extract<YamlEdit, { kind: 'append' }>, 'path' | 'values'>;

/** An edit that this text is not laid out for; `offset` is where somebody has to look. */
export class EditRefusal extends Error {
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

/** What has to change in the text for one edit; new lines end in `eol`. Throws EditRefusal. */
export function splicesFor(text: string, document: Document.Parsed, edit: YamlEdit, eol: string): Splice[] {
  switch (edit.kind) {
    case 'set':
      return setValue(text, document, edit, eol);
    case 'unset':
      return removePair(text, document, edit.path);
    case 'append':
      return appendItems(text, document, edit, eol);
    case 'removeItems':
      return removeItems(text, document, edit.path, edit.indices);
    default:
      return edit satisfies never;
  }
}

function setValue(
  text: string,
  document: Document.Parsed,
  { path, value, after }: Extract<YamlEdit, { kind: 'set' }>,
  eol: string,
): Splice[] {
  const map = mapAt(document, path.slice(0, -1));
  const key = String(path.at(-1));
  const pair = pairOf(map, key);
  if (pair !== undefined) return [replaceScalar(text, pair.value, path, value)];
  const neighbour = (after === undefined ? undefined : pairOf(map, after)) ?? map.items.at(-1);
  if (neighbour === undefined) throw new EditRefusal(startOf(map), `${formatPath(path)}: the map is empty`);
  const written = `${key}: ${inlineYaml(value)}`;
  const end = contentEnd(neighbour);
  if (map.flow === true) return [{ start: end, end, text: `, ${written}` }];
  return [insertLines(text, end, [`${columnOf(text, startOf(map))}${written}`], eol)];
}

function replaceScalar(text: string, node: unknown, path: DocumentPath, value: string): Splice {
  const [start, end] = rangeOf(node);
  if (!isAlias(node) && (!isScalar(node) || node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED')) {
    throw new EditRefusal(start, `${formatPath(path)} is no text on one line`);
  }
  const quote = /^["']/.exec(text.slice(start, end))?.[0];
  const isPlain = /^[\w:.+-]+$/.test(value);
  const written = quote !== undefined && isPlain ? `${quote}${value}${quote}` : inlineYaml(value);
  return { start, end, text: written };
}

function removePair(text: string, document: Document.Parsed, path: DocumentPath): Splice[] {
  const map = mapAt(document, path.slice(0, -1));
  const index = map.items.findIndex(pair => isKey(pair, String(path.at(-1))));
  const pair = map.items[index];
  if (pair === undefined) return [];
  const start = startOf(pair.key);
  if (map.items.length === 1) throw new EditRefusal(start, `${formatPath(path)} is all there is`);
  if (map.flow === true) return flowRemoval(text, map, new Set([index]), path);
  if (!beginsLine(text, start)) throw new EditRefusal(start, `${formatPath(path)} does not begin its line`);
  return [{ start: lineStart(text, start), end: nextLine(text, contentEnd(pair)), text: '' }];
}

function appendItems(
  text: string,
  document: Document.Parsed,
  { path, values }: Append,
  eol: string,
): Splice[] {
  const seq = seqAt(document, path);
  const [start, end] = rangeOf(seq);
  const last = seq.items.at(-1);
  if (last === undefined) return fillEmpty(text, document, { path, values }, eol);
  const lastEnd = contentEnd(last);
  if (seq.flow !== true) {
    const indent = columnOf(text, start);
    const isSpaced = seq.items.length > 1 && hasBlankLineBefore(text, startOf(last));
    const lines = values.flatMap(value => [...(isSpaced ? [''] : []), ...blockItem(value, indent)]);
    return [insertLines(text, lastEnd, lines, eol)];
  }
  const comma = commaAfter(text, lastEnd, end);
  const isAloneOnLine = beginsLine(text, startOf(last)) && endsLine(text, comma ?? lastEnd);
  if (!isAloneOnLine)
    return [{ start: lastEnd, end: lastEnd, text: values.map(v => `, ${inlineYaml(v)}`).join('') }];
  const indent = columnOf(text, startOf(last));
  const lines = values.map((value, i) => {
    const isLast = i === values.length - 1;
    return `${indent}${inlineYaml(value)}${isLast && comma === null ? '' : ','}`;
  });
  const added = insertLines(text, comma ?? lastEnd, lines, eol);
  return comma === null ? [{ start: lastEnd, end: lastEnd, text: ',' }, added] : [added];
}

/** `rules: []` becomes a block list where its map is one, else it is filled between the brackets. */
function fillEmpty(text: string, document: Document.Parsed, { path, values }: Append, eol: string): Splice[] {
  const [start, end] = rangeOf(seqAt(document, path));
  if (!/^\[[ \t]*\]$/.test(text.slice(start, end))) {
    throw new EditRefusal(start, `${formatPath(path)} holds a comment and nothing else`);
  }
  const map = mapAt(document, path.slice(0, -1));
  if (map.flow === true || !endsLine(text, end)) {
    return [{ start, end, text: inlineYaml(values) }];
  }
  const indent = `${columnOf(text, startOf(map))}  `;
  const blanks = /[ \t]*$/.exec(text.slice(0, start))?.[0].length ?? 0;
  const lines = values.flatMap(value => blockItem(value, indent));
  return [{ start: start - blanks, end, text: '' }, insertLines(text, end, lines, eol)];
}

function removeItems(
  text: string,
  document: Document.Parsed,
  path: DocumentPath,
  indices: readonly number[],
): Splice[] {
  const seq = seqAt(document, path);
  const removed = new Set(indices);
  if (seq.flow === true) return flowRemoval(text, seq, removed, path);
  const splices = indices.map(index => {
    const item = seq.items[index];
    const start = dashLine(text, startOf(item), startOf(seq));
    return { start, end: nextLine(text, contentEnd(item)), text: '' };
  });
  if (removed.size < seq.items.length) return splices;
  const key = pairOf(mapAt(document, path.slice(0, -1)), String(path.at(-1)))?.key;
  const colon = text.indexOf(':', rangeOf(key)[1]) + 1;
  return [{ start: colon, end: colon, text: ' []' }, ...splices];
}

/** Whole lines where an item stands alone on its own, else what lies between it and its neighbour. */
function flowRemoval(
  text: string,
  collection: YAMLMap | YAMLSeq,
  removed: ReadonlySet<number>,
  path: DocumentPath,
): Splice[] {
  const { items } = collection;
  const [open, close] = rangeOf(collection);
  if (removed.size === items.length) {
    checkNoComment(text, open, close, path);
    return [{ start: open + 1, end: close - 1, text: '' }];
  }
  const firstKept = items.findIndex((_, i) => !removed.has(i));
  return [...removed].map(index => {
    const [start, end] = [itemStart(items[index]), contentEnd(items[index])];
    const next = commaAfter(text, end, close) ?? end;
    if (beginsLine(text, start) && endsLine(text, next)) {
      return { start: lineStart(text, start), end: nextLine(text, next), text: '' };
    }
    const splice =
      index > firstKept
        ? { start: contentEnd(items[index - 1]), end, text: '' }
        : { start, end: itemStart(items[index + 1]), text: '' };
    checkNoComment(text, splice.start, splice.end, path);
    return splice;
  });
}

function checkNoComment(text: string, start: number, end: number, path: DocumentPath): void {
  if (/#/.test(text.slice(start, end)))
    throw new EditRefusal(start, `${formatPath(path)}: a comment stands in the way`);
}

function mapAt(document: Document.Parsed, path: DocumentPath): YAMLMap<unknown, unknown> {
  const node = nodeAt(document, path);
  if (isMap(node)) return node;
  throw new EditRefusal(startOf(node), `${formatPath(path)} is no map`);
}

function seqAt(document: Document.Parsed, path: DocumentPath): YAMLSeq<unknown> {
  const node = nodeAt(document, path);
  if (isSeq(node)) return node;
  throw new EditRefusal(startOf(node), `${formatPath(path)} is no list`);
}

/** The node at a path. What an alias stands for is written elsewhere, perhaps for others as well. */
function nodeAt(document: Document.Parsed, path: DocumentPath): unknown {
  let node: unknown = document.contents;
  for (const [depth, step] of path.entries()) {
    if (isMap(node)) node = pairOf(node, String(step))?.value;
    else if (isSeq(node) && typeof step === 'number') node = node.items[step];
    if (!isAlias(node)) continue;
    throw new EditRefusal(startOf(node), `${formatPath(path.slice(0, depth + 1))} is an alias`);
  }
  return node;
}

function pairOf(map: YAMLMap<unknown, unknown>, key: string): Pair<unknown, unknown> | undefined {
  return map.items.find(pair => isKey(pair, key));
}

function isKey({ key }: Pair<unknown, unknown>, name: string): boolean {
  return isScalar(key) && String(key.value) === name;
}

/** Where an item begins; an anchor or a tag stands before that and would be left behind. */
function itemStart(item: unknown): number {
  const node = isPair(item) ? item.key : item;
  if (isNode(node) && !isAlias(node) && (node.anchor !== undefined || node.tag !== undefined)) {
    throw new EditRefusal(startOf(node), 'an anchor or a tag stands before it');
  }
  return startOf(node);
}

/** The offset after the last byte that is not a blank, a line break or a comment. */
function contentEnd(item: unknown): number {
  if (isPair(item)) return contentEnd(item.value ?? item.key);
  if (isCollection(item) && item.flow !== true && item.items.length > 0) return contentEnd(item.items.at(-1));
  return rangeOf(item)[1];
}

function startOf(node: unknown): number {
  return rangeOf(node)[0];
}

function rangeOf(node: unknown): readonly [start: number, end: number] {
  const range = isNode(node) ? node.range : undefined;
  if (range === undefined || range === null) throw new EditRefusal(0, 'something has no place in the text');
  return [range[0], range[1]];
}

/** Blanks as wide as what stands before `offset` on its line. */
function columnOf(text: string, offset: number): string {
  return ' '.repeat(offset - lineStart(text, offset));
}

/** The start of the line with the dash of an item: its own line, or one above it. */
function dashLine(text: string, item: number, firstDash: number): number {
  const column = firstDash - lineStart(text, firstDash);
  for (let line = lineStart(text, item); line >= 0; line = lineStart(text, line - 1)) {
    if (text[line + column] === '-' && beginsLine(text, line + column)) return line;
    if (line === 0) break;
  }
  throw new EditRefusal(item, 'an item does not begin its line');
}

function hasBlankLineBefore(text: string, offset: number): boolean {
  let line = lineStart(text, offset);
  while (line > 0) {
    line = lineStart(text, line - 1);
    const content = text.slice(line, nextLine(text, line + 1)).trim();
    if (content === '') return true;
    if (!content.startsWith('#')) return false;
  }
  return false;
}

/** The offset after the comma that follows an item before its collection ends; null when there is none. */
function commaAfter(text: string, from: number, close: number): number | null {
  const between = text.slice(from, close).replace(/(?<=\s)#.*/g, comment => ' '.repeat(comment.length));
  const comma = /^\s*,/.exec(between);
  return comma === null ? null : from + comma[0].length;
}
