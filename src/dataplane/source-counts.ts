import { randomInt } from 'node:crypto';
import type { IpAddress } from '../policy/address.ts';

const BUCKETS = 4096;
const SEED = 0;
const FIRST_BUCKET = 1;
const SLOTS = 16;
const ADDRESS_CELLS = 4;
const UNLOCKED = 0;
const NONE = -1;
/** Who locks a bucket to forget a worker; a worker locks with its index and one. */
const FORGETTING = -1;

/** One worker's part in `SourceCounts`. */
export interface WorkerSources {
  /** Counts one more flow of `source` unless all workers together have `limit` of it already. */
  tryOpen(source: IpAddress, limit: number): boolean;
  /** Takes back what `tryOpen` counted. */
  close(source: IpAddress): void;
}

/**
 * Open flows per source address, exact over all workers. A set-associative table in shared memory: an address hashes
 * to a bucket of 16 slots (four address words and a count for each worker), guarded by a spin lock that is held for some
 * tens of nanoseconds. A bucket full of other sources refuses newcomers, which only a flood of addresses can bring about.
 */
export class SourceCounts {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: Int32Array;
  readonly #workers: number;
  readonly #slotCells: number;
  readonly #bucketCells: number;

  private constructor(buffer: SharedArrayBuffer, workers: number) {
    this.buffer = buffer;
    this.#cells = new Int32Array(buffer);
    this.#workers = workers;
    this.#slotCells = slotCells(workers);
    this.#bucketCells = bucketCells(workers);
  }

  /** An empty table, seeded, so that nobody can choose addresses that fill another source's bucket. */
  static create(workers: number): SourceCounts {
    const cells = FIRST_BUCKET + BUCKETS * bucketCells(workers);
    const buffer = new SharedArrayBuffer(cells * Int32Array.BYTES_PER_ELEMENT);
    new Int32Array(buffer)[SEED] = randomInt(2 ** 31);
    return new SourceCounts(buffer, workers);
  }

  /** A view of the same table in another thread. */
  static view(buffer: SharedArrayBuffer, workers: number): SourceCounts {
    return new SourceCounts(buffer, workers);
  }

  /** The part of one worker, for it alone to use. */
  worker(index: number): WorkerSources {
    // Every flow comes by here twice: no closures, and no more than one pass over a bucket where it can be.
    return {
      tryOpen: (source, limit) => {
        const bucket = this.#lockFor(source, index + 1);
        const isOpen = this.#tryOpen(bucket, source, limit, index);
        Atomics.store(this.#cells, bucket, UNLOCKED);
        return isOpen;
      },
      close: source => {
        const bucket = this.#lockFor(source, index + 1);
        this.#close(bucket, source, index);
        Atomics.store(this.#cells, bucket, UNLOCKED);
      },
    };
  }

  /** A worker is no more, wherever it was when it died: it has no flows, and holds no lock. */
  forget(index: number): void {
    for (let i = 0; i < BUCKETS; i++) {
      const bucket = FIRST_BUCKET + i * this.#bucketCells;
      Atomics.compareExchange(this.#cells, bucket, index + 1, UNLOCKED);
      this.#lock(bucket, FORGETTING);
      for (let slot = 0; slot < SLOTS; slot++) this.#cells[this.#count(this.#slot(bucket, slot), index)] = 0;
      Atomics.store(this.#cells, bucket, UNLOCKED);
    }
  }

  #tryOpen(bucket: number, source: IpAddress, limit: number, worker: number): boolean {
    const known = this.#find(bucket, source);
    const slot = known === NONE ? this.#claim(bucket, source) : known;
    if (slot === NONE || this.#total(slot) >= limit) return false;
    const cell = this.#count(slot, worker);
    this.#cells[cell] = (this.#cells[cell] ?? 0) + 1;
    return true;
  }

  #close(bucket: number, source: IpAddress, worker: number): void {
    const slot = this.#find(bucket, source);
    if (slot === NONE) return;
    const cell = this.#count(slot, worker);
    this.#cells[cell] = Math.max(0, (this.#cells[cell] ?? 0) - 1);
  }

  /** The bucket of a source, locked. */
  #lockFor(source: IpAddress, locker: number): number {
    const bucket = FIRST_BUCKET + (hash(source, this.#cells[SEED] ?? 0) % BUCKETS) * this.#bucketCells;
    this.#lock(bucket, locker);
    return bucket;
  }

  #lock(bucket: number, locker: number): void {
    while (Atomics.compareExchange(this.#cells, bucket, UNLOCKED, locker) !== UNLOCKED);
  }

  /** The slot that counts `source`, if it has open flows. */
  #find(bucket: number, source: IpAddress): number {
    const cells = this.#cells;
    const [w0, w1, w2, w3] = source.words;
    for (let i = 0; i < SLOTS; i++) {
      const slot = this.#slot(bucket, i);
      const isSame =
        cells[slot + 3] === (w3 | 0) &&
        cells[slot + 2] === (w2 | 0) &&
        cells[slot + 1] === (w1 | 0) &&
        cells[slot] === (w0 | 0);
      if (isSame && this.#total(slot) > 0) return slot;
    }
    return NONE;
  }

  #claim(bucket: number, source: IpAddress): number {
    for (let i = 0; i < SLOTS; i++) {
      const slot = this.#slot(bucket, i);
      if (this.#total(slot) > 0) continue;
      this.#cells.set(source.words, slot);
      return slot;
    }
    return NONE;
  }

  /** Open flows over all workers. */
  #total(slot: number): number {
    let total = 0;
    for (let worker = 0; worker < this.#workers; worker++)
      total += this.#cells[this.#count(slot, worker)] ?? 0;
    return total;
  }

  #slot(bucket: number, index: number): number {
    return bucket + 1 + index * this.#slotCells;
  }

  #count(slot: number, worker: number): number {
    return slot + ADDRESS_CELLS + worker;
  }
}

function slotCells(workers: number): number {
  return ADDRESS_CELLS + workers;
}

function bucketCells(workers: number): number {
  return 1 + SLOTS * slotCells(workers);
}

function hash(source: IpAddress, seed: number): number {
  let value = seed;
  for (const word of source.words) value = Math.imul(value ^ word ^ (word >>> 15), 0x2c1b3c6d);
  return (value ^ (value >>> 16)) >>> 0;
}
