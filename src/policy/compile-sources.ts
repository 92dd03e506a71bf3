import type { Cidr } from './address.ts';
import type { Mode } from './decision.ts';
import { BLOCK } from './layout.ts';
import { nestBlocks } from './nested-blocks.ts';
import type { SourceGroup, SourceItem } from './rules.ts';

interface Block {
  readonly cidr: Cidr;
  readonly sets: Set<number>;
  mode: Mode | null;
}

/**
 * Builds the source index: an address belongs to the source sets of its innermost block and of the blocks around it.
 * A source set is what one rule's `from` says; equal lists share an id, ids count from 1.
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

  finish(): { starts: readonly number[]; intervals: readonly number[]; blocks: number[]; sets: number[] } {
    const { starts, intervals, blocks: nested } = nestBlocks(this.#blocks.values());
    const blocks: number[] = [0, 0, 0, 0];
    const sets: number[] = [];
    for (const { value, parent } of nested) {
      const own = [...(value?.sets ?? [])].sort((a, b) => a - b);
      const mode = value?.mode ?? null;
      const inherited = blocks[parent * BLOCK.size + BLOCK.mode] ?? 0;
      blocks.push(parent, sets.length, own.length, mode === null ? inherited : modeCode(mode));
      for (const set of own) sets.push(set);
    }
    return { starts, intervals, blocks, sets };
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
