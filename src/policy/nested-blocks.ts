import { Cidr, compareWords, IpAddress } from './address.ts';

/** IPv4 as a whole. It lies inside `::/0` only by the way addresses are written down, so it has no parent. */
const V4 = Cidr.of(IpAddress.fromV4(0), 96);

/** Blocks laid out for `innermostBlock`. A block goes by its place in `blocks`, counted from 1. */
export interface NestedBlocks<T> {
  /** Four words each: sorted first addresses of disjoint intervals. */
  readonly starts: readonly number[];
  /** Beside `starts`: the innermost block over the interval, 0 for none. */
  readonly intervals: readonly number[];
  /** Parents come before what they hold. `value` is null for IPv4 as a whole, where nobody wrote it. */
  readonly blocks: readonly { readonly value: T | null; readonly parent: number }[];
}

/**
 * Lays out distinct blocks. They nest or are disjoint, so an address has one innermost block, found among sorted
 * intervals, and lies in that block and those around it.
 */
export function nestBlocks<T extends { readonly cidr: Cidr }>(values: Iterable<T>): NestedBlocks<T> {
  const written = [...values].map(value => ({ cidr: value.cidr, value }));
  const out = {
    starts: [] as number[],
    intervals: [] as number[],
    blocks: [] as { value: T | null; parent: number }[],
  };
  if (written.length === 0) return out;
  const hasV4 = written.some(({ cidr }) => isV4Root(cidr));
  const sorted = [...written, ...(hasV4 ? [] : [{ cidr: V4, value: null }])].sort(byStartThenWidth);
  const open: { id: number; last: readonly number[] }[] = [];
  for (const { cidr, value } of sorted) {
    closeBefore(open, cidr.first.words, out);
    const parent = isV4Root(cidr) ? 0 : (open.at(-1)?.id ?? 0);
    const id = out.blocks.push({ value, parent });
    startInterval(out, cidr.first.words, id);
    open.push({ id, last: cidr.last.words });
  }
  closeBefore(open, null, out);
  return out;
}

/** The innermost block around the address by the layout of `nestBlocks`; 0 for none. */
export function innermostBlock(starts: Uint32Array, intervals: Uint32Array, address: IpAddress): number {
  let low = 0;
  let high = intervals.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (startsAfter(starts, middle, address)) high = middle;
    else low = middle + 1;
  }
  return low === 0 ? 0 : (intervals[low - 1] ?? 0);
}

function startsAfter(starts: Uint32Array, interval: number, address: IpAddress): boolean {
  for (let i = 0; i < 4; i++) {
    const start = starts[4 * interval + i] ?? 0;
    const word = address.words[i] ?? 0;
    if (start !== word) return start > word;
  }
  return false;
}

function isV4Root(cidr: Cidr): boolean {
  return cidr.prefix === V4.prefix && cidr.first.family === 4;
}

function byStartThenWidth(a: { cidr: Cidr }, b: { cidr: Cidr }): number {
  return compareWords(a.cidr.first.words, b.cidr.first.words) || a.cidr.prefix - b.cidr.prefix;
}

/** Ends every open block that lies before `words` (all of them for null); behind its end its parent goes on. */
function closeBefore(
  open: { id: number; last: readonly number[] }[],
  words: readonly number[] | null,
  out: { starts: number[]; intervals: number[] },
): void {
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    if (words !== null && compareWords(top.last, words) >= 0) return;
    open.pop();
    const next = successor(top.last);
    if (next !== null) startInterval(out, next, open.at(-1)?.id ?? 0);
  }
}

function startInterval(
  out: { starts: number[]; intervals: number[] },
  words: readonly number[],
  block: number,
): void {
  if (out.starts.length > 0 && compareWords(out.starts.slice(-4), words) === 0) {
    out.intervals[out.intervals.length - 1] = block;
    return;
  }
  out.starts.push(...words);
  out.intervals.push(block);
}

/** The address after this one, or null after the last of all. */
function successor(words: readonly number[]): number[] | null {
  const next = [...words];
  for (let i = 3; i >= 0; i--) {
    next[i] = ((next[i] ?? 0) + 1) >>> 0;
    if (next[i] !== 0) return next;
  }
  return null;
}
