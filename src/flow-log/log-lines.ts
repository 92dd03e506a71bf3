import type { SeenFlow } from '../policy/seen-flow.ts';
import { isCloseRecord, PlainRecordReader } from './plain-record.ts';
import { PlainTextReader } from './plain-text-record.ts';
import { type LineContext, readLine } from './read-line.ts';
import { TextPool } from './text-pool.ts';

const NEWLINE = 0x0a;
const BRACE = 0x7b;
/** A hello or request has at most 64 KiB; escaped, and escaped again by a shipper, it still fits. */
const MAX_LINE_BYTES = 512 * 1024;
/** So many faults are kept with their places. */
const MAX_FAULTS = 5;

/** A line that could not be read. Lines count from 1. */
export interface LineFault {
  readonly line: number;
  readonly why: string;
}

/** What a log turned out to hold. */
export interface LogSummary {
  readonly lines: number;
  /** Decision records. */
  readonly records: number;
  /** Lines that speak of a decision but cannot be read. */
  readonly broken: number;
  /** Decision records that name no port. */
  readonly portsAssumed: number;
  /** The first of the broken lines. */
  readonly faults: readonly LineFault[];
}

/**
 * Takes a log as it comes off the disk, in chunks, and tells each decision in it. Lines are not made into strings one
 * by one: a chunk is, and records are read where they stand in it.
 */
export class LogLines {
  readonly #visit: (flow: SeenFlow) => void;
  readonly #context: LineContext;
  readonly #plainText: PlainTextReader;
  readonly #pool: TextPool;
  /** The line that the chunks so far have begun. */
  #begun: Buffer[] = [];
  #begunBytes = 0;
  #isTooLong = false;
  #lines = 0;
  #records = 0;
  #broken = 0;
  #portsAssumed = 0;
  readonly #faults: LineFault[] = [];

  constructor(visit: (flow: SeenFlow) => void, defaultPort: number, pool = new TextPool()) {
    this.#visit = visit;
    this.#context = { plain: new PlainRecordReader(), defaultPort };
    this.#plainText = new PlainTextReader(defaultPort);
    this.#pool = pool;
  }

  get summary(): LogSummary {
    return {
      lines: this.#lines,
      records: this.#records,
      broken: this.#broken,
      portsAssumed: this.#portsAssumed,
      faults: this.#faults,
    };
  }

  push(chunk: Buffer): void {
    const first = chunk.indexOf(NEWLINE);
    if (first < 0) return this.#begin(chunk);
    const last = chunk.lastIndexOf(NEWLINE);
    let from = 0;
    if (this.#begunBytes > 0) {
      this.#begin(chunk.subarray(0, first + 1));
      this.#endLine();
      from = first + 1;
    }
    this.#readWhole(chunk.subarray(from, last + 1));
    if (last + 1 < chunk.length) this.#begin(chunk.subarray(last + 1));
  }

  /** The log ends here, perhaps inside a line. */
  end(): void {
    if (this.#begunBytes > 0) this.#endLine();
  }

  #begin(part: Buffer): void {
    this.#begunBytes += part.length;
    this.#isTooLong ||= this.#begunBytes > MAX_LINE_BYTES;
    // The chunk belongs to the reader of the file, which may fill it again.
    if (this.#isTooLong) this.#begun = [];
    else this.#begun.push(Buffer.from(part));
  }

  #endLine(): void {
    const [line, isTooLong] = [Buffer.concat(this.#begun), this.#isTooLong];
    this.#begun = [];
    this.#begunBytes = 0;
    this.#isTooLong = false;
    if (isTooLong) this.#fault(++this.#lines, 'a line of more than 512 KiB');
    else this.#readWhole(line.at(-1) === NEWLINE ? line : Buffer.concat([line, Buffer.of(NEWLINE)]));
  }

  /** Reads lines that are all there, each with its newline. */
  #readWhole(bytes: Buffer): void {
    // One character a byte: places are the same in both, and what is not ASCII cannot pass for it.
    const text = bytes.toString('latin1');
    for (let at = 0; at < text.length; ) {
      this.#lines++;
      const end = text.indexOf('\n', at);
      if (text.charCodeAt(at) === BRACE) {
        if (!isCloseRecord(text, at)) this.#tell(this.#context.plain.read(text, at), false, bytes, at, end);
      } else this.#tell(this.#plainText.read(text, at), true, bytes, at, end);
      at = end + 1;
    }
  }

  /** Tells a flow that was read in passing; else reads the line with care. */
  #tell(flow: SeenFlow | null, portAssumed: boolean, bytes: Buffer, at: number, end: number): void {
    if (flow !== null) this.#told(flow, portAssumed);
    else if (end - at > MAX_LINE_BYTES) this.#fault(this.#lines, 'a line of more than 512 KiB');
    else {
      const reading = readLine(bytes.toString('utf8', at, end), this.#context);
      if (reading.kind === 'flow') this.#told(reading.flow, reading.portAssumed);
      else if (reading.kind === 'broken') this.#fault(this.#lines, reading.why);
    }
  }

  #told(flow: SeenFlow, portAssumed: boolean): void {
    this.#records++;
    if (portAssumed) this.#portsAssumed++;
    const { source, destination, hostname, reason, rule } = flow;
    const pool = this.#pool;
    this.#visit({
      ...flow,
      source: pool.own(source),
      destination: pool.ownOrNull(destination),
      hostname: pool.ownOrNull(hostname),
      reason: pool.ownOrNull(reason),
      rule: pool.ownOrNull(rule),
    });
  }

  #fault(line: number, why: string): void {
    this.#broken++;
    if (this.#faults.length < MAX_FAULTS) this.#faults.push({ line, why });
  }
}
