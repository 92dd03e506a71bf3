import type { Cidr } from './address.ts';
import type { BytePool } from './byte-pool.ts';
import type { Mode } from './decision.ts';
import { BLOCK } from './layout.ts';
import { nestBlocks } from './nested-blocks.ts';
import type { SourceGroup, SourceItem } from './rules.ts';

/** What is said of those in a block, or behind a VPC endpoint. */
interface Members {
  readonly sets: Set<number>;
  mode: Mode | null;
}

interface Block extends Members {
  readonly cidr: Cidr;
}

/**
 * Builds the source index: an address belongs to the source sets of its innermost block and of the blocks around it, and
 * whoever comes through a VPC endpoint to those of the endpoint besides. A source set is what one rule's `from` says;
 * equal lists share an id, ids count from 1.
 */
export class SourceIndexBuilder {
  readonly #blocks = new Map<string, Block>();
  readonly #endpoints = new Map<string, Members>();
  readonly #setIds = new Map<string, number>();
  readonly #setTexts = [''];

  /** Beside set ids: what the set holds, in words. */
  get setTexts(): readonly string[] {
    return this.#setTexts;
  }

  addGroup(group: SourceGroup): void {
    const { mode, cidrs, vpcEndpoints = [] } = group;
    if (mode === null) return;
    for (const members of [
      ...cidrs.map(cidr => this.#block(cidr)),
      ...vpcEndpoints.map(id => this.#endpoint(id)),
    ]) {
      // Two groups may name the same block: enforce wins.
      if (members.mode !== 'enforce') members.mode = mode;
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
    for (const { cidrs, vpcEndpoints = [] } of from) {
      for (const cidr of cidrs) this.#block(cidr).sets.add(id);
      for (const endpoint of vpcEndpoints) this.#endpoint(endpoint).sets.add(id);
    }
    return id;
  }

  finish(pool: BytePool) {
    const { starts, intervals, blocks: nested } = nestBlocks(this.#blocks.values());
    const blocks: number[] = [0, 0, 0, 0];
    const sets: number[] = [];
    const addBlock = (members: Members | null, parent: number) => {
      const own = [...(members?.sets ?? [])].sort((a, b) => a - b);
      const mode = members?.mode ?? null;
      const inherited = blocks[parent * BLOCK.size + BLOCK.mode] ?? 0;
      blocks.push(parent, sets.length, own.length, mode === null ? inherited : modeCode(mode));
      for (const set of own) sets.push(set);
    };
    for (const { value, parent } of nested) addBlock(value, parent);
    const endpoints: number[] = [];
    for (const [id, members] of [...this.#endpoints].sort(([a], [b]) => (a < b ? -1 : 1))) {
      endpoints.push(pool.add(id), id.length, blocks.length / BLOCK.size);
      addBlock(members, 0);
    }
    return { starts, intervals, blocks, endpoints, sets };
  }

  #endpoint(id: string): Members {
    let endpoint = this.#endpoints.get(id);
    if (endpoint === undefined) {
      endpoint = { sets: new Set(), mode: null };
      this.#endpoints.set(id, endpoint);
    }
    return endpoint;
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
