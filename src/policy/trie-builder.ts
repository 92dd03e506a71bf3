import type { BytePool } from './byte-pool.ts';
import { EdgeTable } from './edge-table.ts';
import { GLOB, globTag, literalTag, NODE, ROOT } from './layout.ts';
import type { HostPattern } from './pattern.ts';

/** Where a pattern ends: a node, and whether it ends there exactly or with `**` before it. */
export interface Terminal {
  readonly node: number;
  readonly deep: boolean;
}

/** Builds the label tries, from the right, that a policy walks: one of named rules' patterns, one of tcp rules' hosts. */
export class TrieBuilder {
  readonly #edges: EdgeTable;
  readonly #pool: BytePool;
  /** Of each glob key, by its edge: the children of the globs that share it. */
  readonly #globs = new Map<number, Map<string, number>>();
  readonly #tagsOfNode = new Map<number, number[]>();
  #nodeCount = Object.keys(ROOT).length;

  constructor(pool: BytePool, seed: number) {
    this.#pool = pool;
    this.#edges = new EdgeTable(pool, seed);
  }

  add(pattern: HostPattern, root: keyof typeof ROOT): Terminal {
    let node: number = ROOT[root];
    for (let i = pattern.labels.length - 1; i >= 0; i--) {
      const label = pattern.labels[i] ?? '';
      node = label.includes('*') ? this.#globChild(node, label) : this.#literalChild(node, label);
    }
    return { node, deep: pattern.deep };
  }

  /** The trie's sections; `nodes` without its entry runs, which the caller fills in. */
  finish(): { nodes: Uint32Array; slots: Uint32Array; globs: number[]; tags: number[] } {
    const nodes = new Uint32Array(this.#nodeCount * NODE.size);
    const tags: number[] = [];
    for (const [node, list] of this.#tagsOfNode) {
      nodes[node * NODE.size + NODE.tags] = tags.length;
      nodes[node * NODE.size + NODE.tagCount] = list.length;
      for (const tag of list) tags.push(tag);
    }
    const globs: number[] = [];
    for (const [edge, list] of this.#globs) {
      this.#edges.setValue(edge, 1 + globs.length / GLOB.size, list.size);
      for (const [text, child] of list) {
        const middle = text.slice(
          text.indexOf('*') + 1,
          Math.max(text.indexOf('*') + 1, text.lastIndexOf('*')),
        );
        globs.push(child, this.#pool.add(middle), middle.length);
      }
    }
    return { nodes, slots: this.#edges.toSlots(), globs, tags };
  }

  #literalChild(parent: number, label: string): number {
    const edge = this.#edges.findOrAdd(parent, literalTag(label.length), label);
    const known = this.#edges.valueOf(edge);
    if (known !== 0) return known;
    const child = this.#nodeCount++;
    this.#edges.setValue(edge, child, 0);
    return child;
  }

  #globChild(parent: number, glob: string): number {
    const first = glob.indexOf('*');
    const suffix = glob.slice(glob.lastIndexOf('*') + 1);
    const tag = globTag(first, suffix.length);
    const edge = this.#edges.findOrAdd(parent, tag, glob.slice(0, first) + suffix);
    let list = this.#globs.get(edge);
    if (list === undefined) {
      list = new Map();
      this.#globs.set(edge, list);
      this.#addTag(parent, tag);
    }
    const known = list.get(glob);
    if (known !== undefined) return known;
    const child = this.#nodeCount++;
    list.set(glob, child);
    return child;
  }

  #addTag(node: number, tag: number): void {
    const list = this.#tagsOfNode.get(node);
    if (list === undefined) this.#tagsOfNode.set(node, [tag]);
    else if (!list.includes(tag)) list.push(tag);
  }
}
