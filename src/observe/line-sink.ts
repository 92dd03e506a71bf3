import fs from 'node:fs';

export interface LineSinkOptions {
  /** A descriptor to write to; it stays the caller's. */
  readonly fd: number;
  /** How much may wait, in bytes; lines on top of that are dropped. Default 8 Mi. */
  readonly maxPending?: number;
  /** Writes to the descriptor; as `fs.write`, which it is by default. */
  readonly write?: (bytes: Uint8Array, done: WriteDone) => void;
}

export type WriteDone = (error: NodeJS.ErrnoException | null, written: number) => void;

/** Hears how many lines were lost, once lines are written again. What it writes then takes its place among them. */
export type TellLost = (lines: number) => void;

/** Once this much waits it is written at once, a hundred and more records in one system call. */
const CHUNK_BYTES = 64 * 1024;
/** Less waits this long for company. */
const LINGER_MS = 20;
/** Writing much more in one call keeps the core from a worker that shares it for a millisecond. */
const SLICE_BYTES = 128 * 1024;
/** The core is left to others this long between two slices. */
const PAUSE_MS = 2;
/** A slice is at least this part of what waits, so that pauses hold up nothing for long. */
const MIN_SHARE = 1 / 16;
/** A full pipe is tried again after the first of these, then after twice as long each time up to the second. */
const MIN_RETRY_MS = 1;
const MAX_RETRY_MS = 64;

/** A write to a pipe or file takes microseconds. */
const STUCK_MS = 100;
const NEWLINE = 10;

/** Lines that wait. */
interface Piece {
  readonly bytes: Buffer;
  /** Called when they were written or lost: the memory is the lender's again. Null where it is ours. */
  readonly giveBack: (() => void) | null;
  /** How many lost lines were said up to its end. */
  readonly told: number;
}

const NOTHING: Piece = { bytes: Buffer.alloc(0), giveBack: null, told: 0 };

/**
 * `writing`: a slice is with the system; `retrying`: a timer will offer it again; `pausing`: a timer will offer the next;
 * `lingering`: a timer will start.
 */
type SinkState = 'idle' | 'lingering' | 'writing' | 'pausing' | 'retrying';

/**
 * Writes lines to a descriptor without ever waiting for it: what a slow reader leaves over is kept up to a bound,
 * then dropped and counted, and so are lines that meet an error (a closed pipe, a full disk); when lines are written
 * again, `tellLost` may say so. sonic-boom, pino's own destination, loops for ever in `flushSync` on a closed pipe, and
 * on a full one.
 */
export class LineSink {
  readonly #fd: number;
  readonly #maxPending: number;
  readonly #write: (bytes: Uint8Array, done: WriteDone) => void;
  #state: SinkState = 'idle';
  #pending: Piece[] = [];
  #pendingBytes = 0;
  /** Bytes taken from `#pending` that no write has accepted yet. */
  #chunk = NOTHING;
  #timer: NodeJS.Timeout | undefined;
  #retryMs = MIN_RETRY_MS;
  #writingSinceMs = 0;
  #dropped = 0;
  /** Of those lost: said in a line that was written; said at all. */
  #toldSurely = 0;
  #told = 0;
  /** The last write succeeded. */
  #isWriting = false;
  /** What was written last is a part of a line. */
  #isTorn = false;
  #tellLost: TellLost = () => {};
  #flushes: (() => void)[] = [];

  constructor({
    fd,
    maxPending = 8 * 1024 * 1024,
    write = (bytes, done) => fs.write(fd, bytes, done),
  }: LineSinkOptions) {
    this.#fd = fd;
    this.#maxPending = maxPending;
    this.#write = write;
  }

  /** Lines lost so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** From now on `tell` hears of lines that were lost. */
  tellLostTo(tell: TellLost): void {
    this.#tellLost = tell;
  }

  /** Counts lines that were lost before they came here. */
  lost(lines: number): void {
    this.#dropped += lines;
  }

  /**
   * Takes one or more lines, each with its newline. Bytes must not change afterwards, or not before `giveBack` was
   * called, which they then may.
   */
  write(lines: string | Uint8Array, giveBack: (() => void) | null = null): void {
    const bytes =
      typeof lines === 'string'
        ? Buffer.from(lines)
        : Buffer.from(lines.buffer, lines.byteOffset, lines.length);
    if (this.#pendingBytes + bytes.length > this.#maxPending) {
      this.#dropped += countLines(bytes);
      giveBack?.();
      return;
    }
    this.#pending.push({ bytes, giveBack, told: this.#told });
    this.#pendingBytes += bytes.length;
    if (this.#state !== 'idle' && this.#state !== 'lingering') return;
    if (this.#pendingBytes >= CHUNK_BYTES) this.#writeSlice();
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
      if (this.#state !== 'writing' && this.#state !== 'retrying') this.#writeSlice();
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
      this.#dropped += countLines(this.#takeAll());
      return;
    }
    const isChunkOurs = this.#state !== 'writing';
    const pending = this.#takeAll();
    const rest = isChunkOurs ? Buffer.concat([this.#chunk.bytes, pending]) : pending;
    if (isChunkOurs) {
      this.#chunk.giveBack?.();
      this.#chunk = NOTHING;
      this.#state = 'idle';
    }
    let written = 0;
    try {
      while (written < rest.length) written += fs.writeSync(this.#fd, rest, written);
    } catch {
      this.#dropped += countLines(rest.subarray(written));
    }
  }

  /** What to write next: lines that are lent by themselves, all others up to those together. */
  #takeNext(): Piece {
    const [first] = this.#pending;
    if (first === undefined) return NOTHING;
    if (this.#isAfterPart) return { bytes: this.#takeAll(), giveBack: null, told: this.#told };
    if (first.giveBack === null) return this.#join(this.#untilLent());
    this.#pending.shift();
    this.#pendingBytes -= first.bytes.length;
    return first;
  }

  /** All that waits, in memory of its own; after a part of a line, that one is ended first. */
  #takeAll(): Buffer {
    const end = this.#isAfterPart ? [Buffer.of(NEWLINE)] : [];
    return Buffer.concat([...end, this.#join(this.#pending.length).bytes]);
  }

  get #isAfterPart(): boolean {
    return this.#isTorn && this.#chunk.bytes.length === 0 && this.#pending.length > 0;
  }

  #untilLent(): number {
    const lent = this.#pending.findIndex(({ giveBack }) => giveBack !== null);
    return lent < 0 ? this.#pending.length : lent;
  }

  /** Takes the first `count` pieces. */
  #join(count: number): Piece {
    const pieces = this.#pending.splice(0, count);
    const bytes = Buffer.concat(pieces.map(piece => piece.bytes));
    this.#pendingBytes -= bytes.length;
    for (const { giveBack } of pieces) giveBack?.();
    return { bytes, giveBack: null, told: pieces.at(-1)?.told ?? 0 };
  }

  #writeAfter(state: 'lingering' | 'pausing' | 'retrying', delayMs: number): void {
    this.#state = state;
    this.#timer = setTimeout(() => this.#writeSlice(), delayMs);
  }

  #writeSlice(): void {
    clearTimeout(this.#timer);
    this.#state = 'writing';
    if (this.#chunk.bytes.length === 0) this.#takeChunk();
    if (this.#chunk.bytes.length === 0) {
      this.#state = 'idle';
      for (const tell of this.#flushes.splice(0)) tell();
      return;
    }
    this.#writingSinceMs = performance.now();
    this.#write(this.#slice(), (error, written) => this.#wrote(error, written));
  }

  /** Bytes that no write has accepted yet. */
  get #waiting(): number {
    return this.#chunk.bytes.length + this.#pendingBytes;
  }

  /** Whole lines, where one ends in it. */
  #slice(): Buffer {
    const { bytes } = this.#chunk;
    const most = Math.max(SLICE_BYTES, Math.ceil(this.#waiting * MIN_SHARE));
    if (bytes.length <= most) return bytes;
    const end = bytes.lastIndexOf(NEWLINE, most - 1) + 1;
    return bytes.subarray(0, end > 0 ? end : most);
  }

  #takeChunk(): void {
    this.#chunk = this.#takeNext();
    // Now there is room for it.
    if (this.#isWriting) this.#sayLost();
    if (this.#chunk.bytes.length > 0) return;
    this.#chunk = this.#takeNext();
  }

  #wrote(error: NodeJS.ErrnoException | null, written: number): void {
    if (error?.code === 'EAGAIN') {
      this.#writeAfter('retrying', this.#retryMs);
      this.#retryMs = Math.min(2 * this.#retryMs, MAX_RETRY_MS);
      return;
    }
    this.#retryMs = MIN_RETRY_MS;
    if (error === null) this.#accepted(written);
    else this.#refused();
    if (this.#waiting > 0 && this.#flushes.length === 0) this.#writeAfter('pausing', PAUSE_MS);
    else this.#writeSlice();
  }

  #accepted(written: number): void {
    this.#isWriting = true;
    const { bytes, giveBack, told } = this.#chunk;
    this.#isTorn = bytes[written - 1] !== NEWLINE;
    this.#chunk = { ...this.#chunk, bytes: bytes.subarray(written) };
    if (written < bytes.length) return;
    this.#toldSurely = told;
    this.#chunk = NOTHING;
    giveBack?.();
  }

  #refused(): void {
    this.#dropped += countLines(this.#chunk.bytes);
    this.#chunk.giveBack?.();
    this.#chunk = NOTHING;
    // A line that said so may be among what was lost.
    this.#told = this.#toldSurely;
    this.#isWriting = false;
  }

  #sayLost(): void {
    const lines = this.#dropped - this.#told;
    if (lines === 0) return;
    this.#told = this.#dropped;
    this.#tellLost(lines);
  }
}

/** Lines end with a newline; one at the very beginning ends a part of a line that was counted already. */
function countLines(bytes: Buffer): number {
  let lines = bytes[0] === NEWLINE ? -1 : 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}
