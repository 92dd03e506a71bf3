import type { BytePool } from './byte-pool.ts';
import { hashEdge, hashText } from './label-hash.ts';
import { GLOB, globTag, literalTag, NODE, SLOT } from './layout.ts';
import type { HostPattern } from './pattern.ts';

/** Where a pattern ends: a node, and whether it ends there exactly or with `**` before it. */
export interface Terminal {
  readonly node: number;
  readonly deep: boolean;
}

interface Slot {
  readonly parent: number;
  readonly tag: number;
  readonly text: string;
  /** The child of a literal; unused for a glob key. */
  readonly child: number;
  /** The globs that share this key; empty for a literal. */
  readonly globs: { readonly child: number; readonly middle: string }[];
}

/** Builds the label trie, from the right, that `Policy.decide` walks. */
export class TrieBuilder {
  readonly #slots = new Map<string, Slot>();
  /** A child for each distinct (parent, glob) pair. */
  readonly #globChildren = new Map<string, number>();
  readonly #tagsOfNode = new Map<number, number[]>();
  #nodeCount = 1;

  add(pattern: HostPattern): Terminal {
    let node = 0;
    for (let i = pattern.labels.length - 1; i >= 0; i--) {
      const label = pattern.labels[i] ?? '';
      node = label.includes('*') ? this.#globChild(node, label) : this.#literalChild(node, label);
    }
    return { node, deep: pattern.deep };
  }

  /** The trie's sections; `nodes` without its entry runs, which the caller fills in. */
  finish(pool: BytePool, seed: number): { nodes: Uint32Array; slots: Uint32Array; globs: number[]; tags: number[] } {
    const nodes = new Uint32Array(this.#nodeCount * NODE.size);
    const tags: number[] = [];
    for (const [node, list] of this.#tagsOfNode) {
      nodes[node * NODE.size + NODE.tags] = tags.length;
      nodes[node * NODE.size + NODE.tagCount] = list.length;
      tags.push(...list);
    }
    const globs: number[] = [];
    let capacity = 4;
    while (capacity < 2 * this.#slots.size) capacity *= 2;
    const slots = new Uint32Array(capacity * SLOT.size);
    for (const slot of this.#slots.values()) {
      const hash = hashEdge(hashText(slot.text, 0, slot.text.length, seed), slot.parent, slot.tag);
      let at = hash & (capacity - 1);
      while (slots[at * SLOT.size + SLOT.value] !== 0) at = (at + 1) & (capacity - 1);
      const value = slot.globs.length === 0 ? slot.child : 1 + globs.length / GLOB.size;
      slots.set([hash, slot.parent, slot.tag, pool.add(slot.text), value, slot.globs.length], at * SLOT.size);
      for (const glob of slot.globs) {
        globs.push(glob.child, glob.middle === '' ? 0 : pool.add(glob.middle), glob.middle.length);
      }
    }
    return { nodes, slots, globs, tags };
  }

  #literalChild(parent: number, label: string): number {
    const key = `${parent} ${label}`;
    const known = this.#slots.get(key);
    if (known !== undefined) return known.child;
    const child = this.#nodeCount++;
    this.#slots.set(key, { parent, tag: literalTag(label.length), text: label, child, globs: [] });
    return child;
  }

  #globChild(parent: number, glob: string): number {
    const childKey = `${parent} ${glob}`;
    const known = this.#globChildren.get(childKey);
    if (known !== undefined) return known;
    const child = this.#nodeCount++;
    this.#globChildren.set(childKey, child);
    const first = glob.indexOf('*');
    const last = glob.lastIndexOf('*');
    const [prefix, suffix] = [glob.slice(0, first), glob.slice(last + 1)];
    const tag = globTag(prefix.length, suffix.length);
    const key = `${parent} ${prefix}*${suffix}`;
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = { parent, tag, text: prefix + suffix, child: 0, globs: [] };
      this.#slots.set(key, slot);
      this.#addTag(parent, tag);
    }
    slot.globs.push({ child, middle: glob.slice(first + 1, Math.max(first + 1, last)) });
    return child;
  }

  #addTag(node: number, tag: number): void {
    const list = this.#tagsOfNode.get(node);
    if (list === undefined) this.#tagsOfNode.set(node, [tag]);
    else if (!list.includes(tag)) list.push(tag);
  }
}
