import { Cidr, compareWords, IpAddress } from './address.ts';
import type { Mode } from './decision.ts';
import { BLOCK } from './layout.ts';
import type { SourceGroup, SourceItem } from './rules.ts';

interface Block {
  readonly cidr: Cidr;
  readonly sets: Set<number>;
  mode: Mode | null;
}

/** IPv4 as a whole. It lies inside `::/0` only by the way addresses are written down, so it has no parent. */
const V4_PREFIX = 96;

/**
 * Builds the source index. Blocks nest or are disjoint, so an address has one innermost block, found among sorted
 * intervals, and belongs to the source sets of that block and of the blocks around it. A source set is what one
 * rule's `from` says; equal lists share an id, ids count from 1.
 */
export class SourceIndexBuilder {
  readonly #blocks = new Map<string, Block>();
  readonly #setIds = new Map<string, number>();
  readonly #setTexts = [''];

  /** Beside set ids: what the set holds, in words. */
  get setTexts(): readonly string[] {
    return this.#setTexts;
  }

  addGroup(group: SourceGroup): void {
    if (group.mode === null) return;
    for (const cidr of group.cidrs) {
      const block = this.#block(cidr);
      // Two groups may name the same block: enforce wins.
      if (block.mode !== 'enforce') block.mode = group.mode;
    }
  }

  /** The set id of a rule's `from`; 0, any source, when it is empty. */
  addFrom(from: readonly SourceItem[]): number {
    if (from.length === 0) return 0;
    const key = from
      .map(item => item.text)
      .sort()
      .join(' ');
    const known = this.#setIds.get(key);
    if (known !== undefined) return known;
    const id = this.#setIds.size + 1;
    this.#setIds.set(key, id);
    this.#setTexts.push(from.map(item => item.text).join(', '));
    for (const item of from) for (const cidr of item.cidrs) this.#block(cidr).sets.add(id);
    return id;
  }

  finish(): { starts: number[]; intervals: number[]; blocks: number[]; sets: number[] } {
    const out = {
      starts: [] as number[],
      intervals: [] as number[],
      blocks: [0, 0, 0, 0],
      sets: [] as number[],
    };
    if (this.#blocks.size === 0) return out;
    this.#block(Cidr.of(IpAddress.fromV4(0), V4_PREFIX));
    const sorted = [...this.#blocks.values()].sort(byStartThenWidth);
    const open: { id: number; last: readonly number[] }[] = [];
    for (const [i, block] of sorted.entries()) {
      const { first, last, prefix } = block.cidr;
      closeBefore(open, first.words, out);
      const isV4Root = prefix === V4_PREFIX && first.family === 4;
      const parent = isV4Root ? 0 : (open.at(-1)?.id ?? 0);
      const inherited = out.blocks[parent * BLOCK.size + BLOCK.mode] ?? 0;
      const sets = [...block.sets].sort((a, b) => a - b);
      out.blocks.push(
        parent,
        out.sets.length,
        sets.length,
        block.mode === null ? inherited : modeCode(block.mode),
      );
      for (const set of sets) out.sets.push(set);
      startInterval(out, first.words, i + 1);
      open.push({ id: i + 1, last: last.words });
    }
    closeBefore(open, null, out);
    return out;
  }

  #block(cidr: Cidr): Block {
    const key = `${cidr.first.words.join(' ')}/${cidr.prefix}`;
    let block = this.#blocks.get(key);
    if (block === undefined) {
      block = { cidr, sets: new Set(), mode: null };
      this.#blocks.set(key, block);
    }
    return block;
  }
}

/** 1 observe, 2 enforce, as in `BLOCK.mode` and `SCALAR.mode`. */
export function modeCode(mode: Mode): number {
  return mode === 'observe' ? 1 : 2;
}

function byStartThenWidth(a: Block, b: Block): number {
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
