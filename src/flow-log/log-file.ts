import { constants, createReadStream } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { describeLogFault } from './log-fault.ts';

const CHUNK_BYTES = 1024 * 1024;
/** RFC 1952 §2.3.1. */
const GZIP_MAGIC = Buffer.of(0x1f, 0x8b);

/** A log to read. */
export interface LogFile {
  /** As the user named it. */
  readonly name: string;
  /** Of the file, packed or not; null where that is not known, as for a pipe. */
  readonly bytes: number | null;
  /** Reads it once; `onRead` hears how many bytes were taken off the file. Rejects for what cannot be read or unpacked. */
  readonly chunks: (onRead: (bytes: number) => void) => AsyncIterable<Buffer>;
}

/** A log that is not there, or no log. The message names it, and says what to do. */
export class LogError extends Error {}

/** The log at a path; `-` is `stdin`. Rejects with LogError when it cannot be read. */
export async function openLog(name: string, stdin: Readable): Promise<LogFile> {
  if (name === '-') return { name: 'stdin', bytes: null, chunks: onRead => unpacked(stdin, onRead) };
  const info = await access(name, constants.R_OK)
    .then(() => stat(name))
    .catch((error: unknown) => {
      throw new LogError(`${name}: ${describeLogFault(error)} (check the path)`, { cause: error });
    });
  if (info.isDirectory()) throw new LogError(`${name}: is a directory (name the files in it)`);
  return {
    name,
    bytes: info.isFile() ? info.size : null,
    chunks: onRead => unpacked(createReadStream(name, { highWaterMark: CHUNK_BYTES }), onRead),
  };
}

/** Passes chunks on; unpacks what begins like gzip, by its bytes and not by its name. */
async function* unpacked(raw: Readable, onRead: (bytes: number) => void): AsyncGenerator<Buffer> {
  const source = counted(raw, onRead);
  let head: Buffer = Buffer.alloc(0);
  while (head.length < GZIP_MAGIC.length) {
    const next = await source.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  const whole = prepended(head, source);
  if (!head.subarray(0, GZIP_MAGIC.length).equals(GZIP_MAGIC)) {
    yield* whole;
    return;
  }
  const packed = Readable.from(whole);
  const plain = createGunzip({ chunkSize: CHUNK_BYTES });
  packed.on('error', error => plain.destroy(error));
  yield* packed.pipe(plain);
}

async function* counted(raw: Readable, onRead: (bytes: number) => void): AsyncGenerator<Buffer, undefined> {
  for await (const chunk of raw) {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    onRead(bytes.length);
    yield bytes;
  }
}

async function* prepended(head: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  yield* rest;
}
