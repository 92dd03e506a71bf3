import type { IpAddress } from './address.ts';
import { BLOCK, type Sections } from './layout.ts';
import { innermostBlock } from './nested-blocks.ts';

/** The view of a compiled policy's sources: see `SourceIndexBuilder`. */
export class SourceIndex {
  readonly #starts: Uint32Array;
  readonly #intervals: Uint32Array;
  readonly #blocks: Uint32Array;
  readonly #sets: Uint32Array;

  constructor(sections: Sections) {
    this.#starts = sections.starts;
    this.#intervals = sections.intervals;
    this.#blocks = sections.blocks;
    this.#sets = sections.sets;
  }

  /** The innermost block around the address, or 0 for none. */
  blockOf(source: IpAddress): number {
    return innermostBlock(this.#starts, this.#intervals, source);
  }

  /** The mode that the groups around a block say: 0 none, 1 observe, 2 enforce. */
  modeCode(block: number): number {
    return this.#blocks[block * BLOCK.size + BLOCK.mode] ?? 0;
  }

  /** How many set ids the block and those around it hold in all. */
  setCount(block: number): number {
    let count = 0;
    for (let b = block; b !== 0; b = this.#parent(b))
      count += this.#blocks[b * BLOCK.size + BLOCK.setCount] ?? 0;
    return count;
  }

  /** Whether an address whose innermost block this is belongs to the set. */
  isIn(block: number, set: number): boolean {
    for (let b = block; b !== 0; b = this.#parent(b)) {
      const offset = this.#blocks[b * BLOCK.size + BLOCK.sets] ?? 0;
      const count = this.#blocks[b * BLOCK.size + BLOCK.setCount] ?? 0;
      if (containsSorted(this.#sets, offset, count, set)) return true;
    }
    return false;
  }

  /** Calls `visit` with each set id of the block and those around it. */
  forEachSet(block: number, visit: (set: number) => void): void {
    for (let b = block; b !== 0; b = this.#parent(b)) {
      const offset = this.#blocks[b * BLOCK.size + BLOCK.sets] ?? 0;
      const end = offset + (this.#blocks[b * BLOCK.size + BLOCK.setCount] ?? 0);
      for (let i = offset; i < end; i++) visit(this.#sets[i] ?? 0);
    }
  }

  #parent(block: number): number {
    return this.#blocks[block * BLOCK.size + BLOCK.parent] ?? 0;
  }
}

/** Binary search in one sorted run. */
export function containsSorted(run: Uint32Array, offset: number, count: number, value: number): boolean {
  let low = offset;
  let high = offset + count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const found = run[middle] ?? 0;
    if (found === value) return true;
    if (found < value) low = middle + 1;
    else high = middle;
  }
  return false;
}
