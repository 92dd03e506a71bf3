import type { BytePool } from './byte-pool.ts';
import { hashEdge, hashText } from './label-hash.ts';
import { SLOT } from './layout.ts';

/**
 * The trie's edges while they are collected, as the `SLOT` records they end as. A table of numbers rather than a Map
 * of composed keys: 100 000 rules make some 300 000 edges.
 */
export class EdgeTable {
  readonly #pool: BytePool;
  readonly #seed: number;
  readonly #texts: string[] = [];
  #records = new Uint32Array(1024 * SLOT.size);
  /** One more than an edge's number; 0 for an empty place. */
  #places = new Uint32Array(2048);

  constructor(pool: BytePool, seed: number) {
    this.#pool = pool;
    this.#seed = seed;
  }

  /** The number of the edge with this key. A new one has value 0. */
  findOrAdd(parent: number, tag: number, text: string): number {
    const hash = hashEdge(hashText(text, 0, text.length, this.#seed), parent, tag);
    const mask = this.#places.length - 1;
    let place = hash & mask;
    for (; ; place = (place + 1) & mask) {
      const edge = (this.#places[place] ?? 0) - 1;
      if (edge < 0) break;
      const at = edge * SLOT.size;
      if (this.#records[at + SLOT.hash] !== hash || this.#records[at + SLOT.parent] !== parent) continue;
      if (this.#records[at + SLOT.tag] === tag && this.#texts[edge] === text) return edge;
    }
    const edge = this.#texts.push(text) - 1;
    this.#places[place] = edge + 1;
    if (this.#texts.length * SLOT.size > this.#records.length) this.#growRecords();
    this.#records.set([hash, parent, tag, this.#pool.add(text)], edge * SLOT.size);
    if (2 * this.#texts.length > this.#places.length) this.#places = this.#spread(2 * this.#places.length);
    return edge;
  }

  valueOf(edge: number): number {
    return this.#records[edge * SLOT.size + SLOT.value] ?? 0;
  }

  setValue(edge: number, value: number, count: number): void {
    this.#records[edge * SLOT.size + SLOT.value] = value;
    this.#records[edge * SLOT.size + SLOT.count] = count;
  }

  /** The records in their places, as the compiled policy is probed. */
  toSlots(): Uint32Array {
    let capacity = 4;
    while (capacity < 2 * this.#texts.length) capacity *= 2;
    const places = this.#spread(capacity);
    const slots = new Uint32Array(capacity * SLOT.size);
    for (const [place, number] of places.entries()) {
      if (number === 0) continue;
      const at = (number - 1) * SLOT.size;
      slots.set(this.#records.subarray(at, at + SLOT.size), place * SLOT.size);
    }
    return slots;
  }

  #spread(capacity: number): Uint32Array<ArrayBuffer> {
    const places = new Uint32Array(capacity);
    for (let edge = 0; edge < this.#texts.length; edge++) {
      let place = (this.#records[edge * SLOT.size + SLOT.hash] ?? 0) & (capacity - 1);
      while (places[place] !== 0) place = (place + 1) & (capacity - 1);
      places[place] = edge + 1;
    }
    return places;
  }

  #growRecords(): void {
    const larger = new Uint32Array(2 * this.#records.length);
    larger.set(this.#records);
    this.#records = larger;
  }
}
