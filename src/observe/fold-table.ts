import { randomInt } from 'node:crypto';

const BUCKETS = 4096;
const SLOTS = 4;
/**
 * A slot: two words of hash (both 0: never used), the tick at which its window began, and what was counted and spent
 * since.
 */
const WORDS = 5;
const LOW = 1;
const BEGAN = 2;
const COUNT = 3;
const SPENT = 4;
/** The seeds of the two hashes stand before the slots. */
const HEADER_WORDS = 2;
const SHARED_SLOT = HEADER_WORDS + BUCKETS * SLOTS * WORDS;
/** Windows are told in ticks: so 32 bits last for months, and wrapping does no harm. */
const TICK_MS = 10;

/**
 * Windows in which a thing is said once, over all threads: a table of fixed size in shared memory. Keys are known by 64
 * bits of a seeded hash, so nobody can choose a name that hides in another's window. No locks: a window belongs to
 * whoever swaps its beginning first.
 */
export class FoldTable {
  /** A place that no key has. */
  readonly sharedSlot = SHARED_SLOT;
  readonly #words: Int32Array;
  readonly #windowTicks: number;

  /** `buffer`: what `createFoldTable` made, in this thread or another. */
  constructor(buffer: SharedArrayBuffer, windowMs: number) {
    this.#words = new Int32Array(buffer);
    this.#windowTicks = Math.ceil(windowMs / TICK_MS);
  }

  /** The place of a key, -1 where all places it could have are taken by open windows, or it has none and takes none. */
  slotOf(key: string, timeMs: number, takesOne = true): number {
    const now = tickOf(timeMs);
    const high = hash(key, this.#words[0] ?? 0) | 1;
    const low = hash(key, this.#words[1] ?? 0);
    const bucket = HEADER_WORDS + ((low >>> 0) % BUCKETS) * SLOTS * WORDS;
    const end = bucket + SLOTS * WORDS;
    for (let slot = bucket; slot < end; slot += WORDS) {
      if (this.#words[slot] === high && this.#words[slot + LOW] === low) return slot;
    }
    if (!takesOne) return -1;
    for (let slot = bucket; slot < end; slot += WORDS) if (this.#claim(slot, high, low, now)) return slot;
    return -1;
  }

  /**
   * Opens the window of a slot if none is open. Returns how many were counted in the one before (0 for no slot), null
   * when one is open.
   */
  open(slot: number, timeMs: number): number | null {
    if (slot < 0) return 0;
    const now = tickOf(timeMs);
    const began = Atomics.load(this.#words, slot + BEGAN);
    if (began !== 0 && this.#isOpen(began, now)) return null;
    if (Atomics.compareExchange(this.#words, slot + BEGAN, began, now) !== began) return null;
    Atomics.store(this.#words, slot + SPENT, 0);
    return Atomics.exchange(this.#words, slot + COUNT, 0);
  }

  /** How many were spent since the window began. */
  spent(slot: number): number {
    return Atomics.load(this.#words, slot + SPENT);
  }

  /** Spends some more; returns how many were spent before. */
  spend(slot: number, lines = 1): number {
    return Atomics.add(this.#words, slot + SPENT, lines);
  }

  /** Counts some that were not said. */
  count(slot: number, flows = 1): void {
    Atomics.add(this.#words, slot + COUNT, flows);
  }

  /** What was counted since the window began, which stays open. */
  take(slot: number): number {
    return Atomics.exchange(this.#words, slot + COUNT, 0);
  }

  /** Takes a slot that was never used, or whose window has ended with nothing counted. */
  #claim(slot: number, high: number, low: number, now: number): boolean {
    const before = Atomics.load(this.#words, slot);
    const began = Atomics.load(this.#words, slot + BEGAN);
    const isTaken = before !== 0 && (this.#isOpen(began, now) || Atomics.load(this.#words, slot + COUNT) > 0);
    if (isTaken || Atomics.compareExchange(this.#words, slot, before, high) !== before) return false;
    Atomics.store(this.#words, slot + LOW, low);
    Atomics.store(this.#words, slot + BEGAN, 0);
    return true;
  }

  /** A clock that was set back ends windows, so that nothing is silent for longer than one. */
  #isOpen(began: number, now: number): boolean {
    const elapsed = (now - began) | 0;
    return elapsed >= 0 && elapsed < this.#windowTicks;
  }
}

/** Memory for a table, with seeds of its own. */
export function createFoldTable(): SharedArrayBuffer {
  const words = new Int32Array(new SharedArrayBuffer((SHARED_SLOT + WORDS) * Int32Array.BYTES_PER_ELEMENT));
  for (let i = 0; i < HEADER_WORDS; i++) words[i] = randomInt(2 ** 32 - 1);
  return words.buffer;
}

/** Never 0, which stands for no window. */
function tickOf(timeMs: number): number {
  return Math.floor(timeMs / TICK_MS) | 0 || 1;
}

/** FNV-1a from a seed, then the finaliser of MurmurHash3. */
function hash(text: string, seed: number): number {
  let value = seed;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return value ^ (value >>> 16);
}
