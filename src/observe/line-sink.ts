import fs from 'node:fs';

export interface LineSinkOptions {
  /** A descriptor to write to; it stays the caller's. */
  readonly fd: number;
  /** How much may wait, in bytes; lines on top of that are dropped. Default 8 Mi. */
  readonly maxPending?: number;
}

/** Once this much waits it is written at once, a hundred and more records in one system call. */
const CHUNK_BYTES = 256 * 1024;
/** Less waits this long for company. */
const LINGER_MS = 20;
/** A full pipe is tried again after the first of these, then after twice as long each time up to the second. */
const MIN_RETRY_MS = 1;
const MAX_RETRY_MS = 64;

/** A write to a pipe or file takes microseconds. */
const STUCK_MS = 100;

/** `writing`: a chunk is with the system; `retrying`: a timer will offer it again; `lingering`: a timer will start. */
type SinkState = 'idle' | 'lingering' | 'writing' | 'retrying';

/**
 * Writes lines to a descriptor without ever waiting for it: what a slow reader leaves over is kept up to a bound,
 * then dropped and counted, and so are lines that meet an error (a closed pipe, a full disk). sonic-boom, pino's
 * own destination, loops for ever in `flushSync` on a closed pipe, and on a full one.
 */
export class LineSink {
  readonly #fd: number;
  readonly #maxPending: number;
  #state: SinkState = 'idle';
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  /** Bytes taken from `#pending` that no write has accepted yet. */
  #chunk: Buffer = Buffer.alloc(0);
  #timer: NodeJS.Timeout | undefined;
  #retryMs = MIN_RETRY_MS;
  #writingSinceMs = 0;
  #dropped = 0;
  #flushes: (() => void)[] = [];

  constructor({ fd, maxPending = 8 * 1024 * 1024 }: LineSinkOptions) {
    this.#fd = fd;
    this.#maxPending = maxPending;
  }

  /** Lines lost so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes one or more lines, each with its newline. Bytes must not change afterwards. */
  write(lines: string | Uint8Array): void {
    const bytes =
      typeof lines === 'string'
        ? Buffer.from(lines)
        : Buffer.from(lines.buffer, lines.byteOffset, lines.length);
    if (this.#pendingBytes + bytes.length > this.#maxPending) {
      this.#dropped += countLines(bytes);
      return;
    }
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    if (this.#state === 'writing' || this.#state === 'retrying') return;
    if (this.#pendingBytes >= CHUNK_BYTES) this.#writeChunk();
    else if (this.#state === 'idle') this.#writeAfter('lingering', LINGER_MS);
  }

  /** Resolves when everything taken so far is written or lost, or after `timeoutMs`. Never rejects. */
  flush(timeoutMs: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#flushes.push(() => {
        clearTimeout(timer);
        resolve();
      });
      if (this.#state === 'idle' || this.#state === 'lingering') this.#writeChunk();
    });
  }

  /**
   * For a process that is about to end without its event loop: writes what waits and gives up at the first error,
   * a full pipe included. A chunk that is with the system at that moment is finished by it, out of order at worst.
   */
  flushSync(): void {
    clearTimeout(this.#timer);
    // A write that has not come back is stuck on a reader that does not read; another would not come back either.
    if (this.#state === 'writing' && performance.now() - this.#writingSinceMs > STUCK_MS) {
      this.#dropped += countLines(this.#takePending());
      return;
    }
    const isChunkOurs = this.#state !== 'writing';
    const pending = this.#takePending();
    const rest = isChunkOurs ? Buffer.concat([this.#chunk, pending]) : pending;
    if (isChunkOurs) {
      this.#chunk = Buffer.alloc(0);
      this.#state = 'idle';
    }
    let written = 0;
    try {
      while (written < rest.length) written += fs.writeSync(this.#fd, rest, written);
    } catch {
      this.#dropped += countLines(rest.subarray(written));
    }
  }

  #takePending(): Buffer {
    const pending = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    return pending;
  }

  #writeAfter(state: 'lingering' | 'retrying', delayMs: number): void {
    this.#state = state;
    this.#timer = setTimeout(() => this.#writeChunk(), delayMs);
  }

  #writeChunk(): void {
    clearTimeout(this.#timer);
    if (this.#chunk.length === 0) {
      this.#chunk = this.#takePending();
    }
    if (this.#chunk.length === 0) {
      this.#state = 'idle';
      for (const tell of this.#flushes.splice(0)) tell();
      return;
    }
    this.#state = 'writing';
    this.#writingSinceMs = performance.now();
    fs.write(this.#fd, this.#chunk, (error, written) => this.#wrote(error, written));
  }

  #wrote(error: NodeJS.ErrnoException | null, written: number): void {
    if (error?.code === 'EAGAIN') {
      this.#writeAfter('retrying', this.#retryMs);
      this.#retryMs = Math.min(2 * this.#retryMs, MAX_RETRY_MS);
      return;
    }
    this.#retryMs = MIN_RETRY_MS;
    if (error !== null) this.#dropped += countLines(this.#chunk);
    this.#chunk = error === null ? this.#chunk.subarray(written) : Buffer.alloc(0);
    this.#writeChunk();
  }
}

function countLines(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) lines++;
  return lines;
}
