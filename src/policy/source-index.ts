import type { IpAddress } from './address.ts';
import { asciiText } from './ascii-text.ts';
import { BLOCK, ENDPOINT, type Sections } from './layout.ts';
import { innermostBlock } from './nested-blocks.ts';

/** The view of a compiled policy's sources: see `SourceIndexBuilder`. */
export class SourceIndex {
  readonly #starts: Uint32Array;
  readonly #intervals: Uint32Array;
  readonly #blocks: Uint32Array;
  readonly #endpoints: Uint32Array;
  readonly #sets: Uint32Array;
  readonly #bytes: Uint8Array;

  constructor(sections: Sections) {
    this.#starts = sections.starts;
    this.#intervals = sections.intervals;
    this.#blocks = sections.blocks;
    this.#endpoints = sections.endpoints;
    this.#sets = sections.sets;
    this.#bytes = sections.bytes;
  }

  /** The innermost block around the address, or 0 for none. */
  blockOf(source: IpAddress): number {
    return innermostBlock(this.#starts, this.#intervals, source);
  }

  /** The block of those who come through a VPC endpoint, or 0 for an endpoint that no group names. */
  blockOfEndpoint(id: string): number {
    let low = 0;
    let high = this.#endpoints.length / ENDPOINT.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = middle * ENDPOINT.size;
      const offset = this.#endpoints[at + ENDPOINT.text] ?? 0;
      const found = asciiText(this.#bytes, offset, this.#endpoints[at + ENDPOINT.length] ?? 0);
      if (found === id) return this.#endpoints[at + ENDPOINT.block] ?? 0;
      if (found < id) low = middle + 1;
      else high = middle;
    }
    return 0;
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
