import { randomInt } from 'node:crypto';
import type { IpAddress } from '../policy/address.ts';

const BUCKETS = 4096;
const SEED = 0;
const FIRST_BUCKET = 1;
const SLOTS = 16;
const SLOT_CELLS = 5;
const BUCKET_CELLS = 1 + SLOTS * SLOT_CELLS;

/**
 * Open flows per source address, exact over all workers. A set-associative table in shared memory: an address hashes
 * to a bucket of 16 slots (four address words and a count), guarded by a spin lock that is held for some tens of
 * nanoseconds. A bucket full of other sources refuses newcomers, which only a flood of addresses can bring about.
 */
export class SourceCounts {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: Int32Array;

  constructor(buffer = seededTable()) {
    this.buffer = buffer;
    this.#cells = new Int32Array(buffer);
  }

  /** Counts one more flow of `source` unless it has `limit` already. */
  tryOpen(source: IpAddress, limit: number): boolean {
    return this.#locked(source, bucket => {
      const slot = this.#find(bucket, source) ?? this.#claim(bucket, source);
      if (slot === null) return false;
      const count = this.#cells[slot] ?? 0;
      if (count >= limit) return false;
      this.#cells[slot] = count + 1;
      return true;
    });
  }

  /** Takes back what `tryOpen` counted. */
  close(source: IpAddress): void {
    this.#locked(source, bucket => {
      const slot = this.#find(bucket, source);
      if (slot !== null) this.#cells[slot] = (this.#cells[slot] ?? 1) - 1;
      return true;
    });
  }

  #locked(source: IpAddress, act: (bucket: number) => boolean): boolean {
    const bucket = FIRST_BUCKET + (hash(source, this.#cells[SEED] ?? 0) % BUCKETS) * BUCKET_CELLS;
    while (Atomics.compareExchange(this.#cells, bucket, 0, 1) !== 0);
    const result = act(bucket);
    Atomics.store(this.#cells, bucket, 0);
    return result;
  }

  /** The slot that counts `source`, if it has open flows. */
  #find(bucket: number, source: IpAddress): number | null {
    return this.#search(
      bucket,
      slot =>
        (this.#cells[slot] ?? 0) > 0 &&
        source.words.every((word, i) => this.#cells[slot + 1 + i] === (word | 0)),
    );
  }

  #claim(bucket: number, source: IpAddress): number | null {
    const slot = this.#search(bucket, candidate => this.#cells[candidate] === 0);
    if (slot !== null) this.#cells.set(source.words, slot + 1);
    return slot;
  }

  #search(bucket: number, matches: (slot: number) => boolean): number | null {
    for (let i = 0; i < SLOTS; i++) {
      const slot = bucket + 1 + i * SLOT_CELLS;
      if (matches(slot)) return slot;
    }
    return null;
  }
}

/** Seeded, so that nobody can choose addresses that fill another source's bucket. */
function seededTable(): SharedArrayBuffer {
  const cells = FIRST_BUCKET + BUCKETS * BUCKET_CELLS;
  const buffer = new SharedArrayBuffer(cells * Int32Array.BYTES_PER_ELEMENT);
  new Int32Array(buffer)[SEED] = randomInt(2 ** 31);
  return buffer;
}

function hash(source: IpAddress, seed: number): number {
  let value = seed;
  for (const word of source.words) value = Math.imul(value ^ word ^ (word >>> 15), 0x2c1b3c6d);
  return (value ^ (value >>> 16)) >>> 0;
}
