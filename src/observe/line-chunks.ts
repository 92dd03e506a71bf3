/**
 * Lines in memory that two threads share, so that handing them over costs no copy and no allocation. `length` bytes of
 * ASCII, each line with its newline. The reader calls `releaseLines` when it is through with them.
 */
export interface Lines {
  readonly memory: SharedArrayBuffer;
  readonly length: number;
}

/** What a worker's lines may take while the main thread is held up; more are lost, and counted. */
const MAX_POOL_BYTES = 64 * 1024 * 1024;
/** What a report has to say of ten thousand flows a second. */
const CHUNK_BYTES = 1024 * 1024;
/** Chunks that are kept although nobody needs them now. */
const SPARE_CHUNKS = 2;

const STATE_BYTES = 8;
const FREE = 0;
const HANDED_OVER = 1;

/** The bytes of lines that were handed over. */
export function bytesOf({ memory, length }: Lines): Uint8Array {
  return new Uint8Array(memory, STATE_BYTES, length);
}

/** Gives the memory back to the writer. */
export function releaseLines({ memory }: Lines): void {
  Atomics.store(new Int32Array(memory, 0, 1), 0, FREE);
}

/** The writer's side: memory to write lines into, used again once its reader is through with it. */
export class LineChunks {
  readonly #maxBytes: number;
  #chunks: SharedArrayBuffer[] = [];
  #bytes = 0;

  constructor(maxBytes = MAX_POOL_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** Memory for at least `size` bytes, the caller's until it is handed over; null when too much is with the reader. */
  take(size: number): SharedArrayBuffer | null {
    const free = this.#chunks.filter(isFree);
    for (const spare of free.splice(SPARE_CHUNKS)) this.#drop(spare);
    return free.find(chunk => writable(chunk).length >= size) ?? this.#make(size);
  }

  /** Marks `memory` as the reader's. */
  handOver(memory: SharedArrayBuffer, length: number): Lines {
    Atomics.store(new Int32Array(memory, 0, 1), 0, HANDED_OVER);
    return { memory, length };
  }

  #make(size: number): SharedArrayBuffer | null {
    const bytes = STATE_BYTES + Math.max(size, CHUNK_BYTES);
    if (this.#bytes + bytes > this.#maxBytes) return null;
    const chunk = new SharedArrayBuffer(bytes);
    this.#chunks.push(chunk);
    this.#bytes += bytes;
    return chunk;
  }

  #drop(chunk: SharedArrayBuffer): void {
    this.#chunks = this.#chunks.filter(kept => kept !== chunk);
    this.#bytes -= chunk.byteLength;
  }
}

/** The bytes of a chunk that lines go into. */
export function writable(memory: SharedArrayBuffer): Uint8Array {
  return new Uint8Array(memory, STATE_BYTES);
}

function isFree(chunk: SharedArrayBuffer): boolean {
  return Atomics.load(new Int32Array(chunk, 0, 1), 0) === FREE;
}
