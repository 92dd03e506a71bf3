import type { CloseEvent, DecisionEvent, FlowIdentity } from '../dataplane/events.ts';
import { escapeJson, escapeValue } from './escape.ts';
import { IsoClock } from './iso-time.ts';
import { LineBuffer, MAX_BYTES_PER_UNIT } from './line-buffer.ts';
import { LineChunks, type Lines, writable } from './line-chunks.ts';
import type { Labels, LogFormat } from './log.ts';
import { PhraseBook } from './phrases.ts';
import { dropReasonInMessage, type Wording, wordsIn } from './wording.ts';

/** More than the names of all fields, the numbers and the values from closed lists take in one line. */
const FIXED_BYTES = 1_024;
/** Time to take the lines when less than this is left. */
const LOW_BYTES = 16 * 1024;

// What every line has, as bytes: copying them takes a tenth of the time of encoding text.
const LEVEL = Buffer.from('{"level":"info","time":"');
const LISTENER = Buffer.from(',"listener":');
const SRC_IP = Buffer.from(',"src_ip":');
const SRC_PORT = Buffer.from(',"src_port":');
const DETAIL = Buffer.from(',"detail":');
const MSG = Buffer.from(',"msg":"');
const END = Buffer.from('"}\n');
const BYTES_OUT = Buffer.from(',"bytes_out":');
const BYTES_IN = Buffer.from(',"bytes_in":');
const DURATION_MS = Buffer.from(',"duration_ms":');
const ENDED = Buffer.from(',"end":"');
const CLOSE_REASON = Buffer.from('","reason":"');
const CLOSING = Buffer.from('"');
const VPC_ENDPOINT = Buffer.from(',"vpc_endpoint":');
const ECH = Buffer.from(',"ech":true');
const DST_MISMATCH = Buffer.from(',"dst_mismatch":true');
const SUPPRESSED = Buffer.from(',"suppressed":');
const TEXT_SUPPRESSED = Buffer.from(' suppressed=');
const TEXT_VPC_ENDPOINT = Buffer.from(' vpc_endpoint=');
const TEXT_END = Buffer.from(' end=');
const TEXT_BYTES_OUT = Buffer.from(' bytes_out=');
const TEXT_BYTES_IN = Buffer.from(' bytes_in=');
const TEXT_DURATION_MS = Buffer.from(' duration_ms=');
const TEXT_LEVEL = Buffer.from('Z info ');
const NEWLINE = Buffer.from('\n');

/** Lines for the main thread, and how many found no memory since they were last taken. */
export interface FlowLineReport {
  readonly lines: readonly Lines[];
  readonly lost: number;
}

export interface FlowLineSettings {
  readonly format: LogFormat;
  readonly gateway: string;
  /** Fields that stand beside the gateway in every JSON record. */
  readonly labels?: Labels;
}

/**
 * Writes decision and close records as log lines, in ASCII, into memory that the main thread reads: two a flow are most
 * of what a short flow costs outside the kernel. Whatever came off the wire passes through a verb of `LineBuffer` that
 * escapes.
 */
export class FlowLines {
  readonly #format: LogFormat;
  /** What stands between the time and the flow's own fields in JSON. */
  readonly #openings: { readonly decision: Uint8Array; readonly close: Uint8Array };
  /** How a message begins. */
  readonly #gateway: Uint8Array;
  readonly #fixedBytes: number;
  readonly #clock = new IsoClock();
  readonly #phrases: PhraseBook;
  readonly #chunks: LineChunks;
  #memory: SharedArrayBuffer | null = null;
  #line = new LineBuffer(new Uint8Array(0));
  #full: Lines[] = [];
  #lost = 0;

  constructor({ format, gateway, labels = {} }: FlowLineSettings, chunks = new LineChunks()) {
    this.#format = format;
    this.#phrases = new PhraseBook(wordsIn(format));
    const gatewayValue = escapeValue(gateway);
    this.#gateway = Buffer.from(
      `Gateway=${format === 'json' ? escapeJson(gatewayValue) : gatewayValue} S_IP=`,
    );
    const common = Object.entries({ gateway, ...labels })
      .map(([name, value]) => `"${escapeJson(name)}":"${escapeJson(value)}"`)
      .join(',');
    const opening = (event: string) => Buffer.from(`Z","event":"${event}",${common},"flow":`);
    this.#openings = { decision: opening('decision'), close: opening('close') };
    this.#fixedBytes = FIXED_BYTES + this.#gateway.length + this.#openings.decision.length;
    this.#chunks = chunks;
  }

  /** Whether it is time to take the lines. */
  get isFull(): boolean {
    return this.#memory !== null && this.#line.room < LOW_BYTES;
  }

  /** `suppressed`: the line stands for so many flows more. */
  decided(event: DecisionEvent, suppressed: number): void {
    const line = this.#begin(
      event,
      lengthOf(event.rule) + lengthOf(event.detail) + lengthOf(event.vpcEndpoint),
    );
    if (line === null) return;
    const wording = this.#phrases.of(event);
    if (this.#format === 'text') {
      this.#openText(line, event);
      this.#decisionMessage(line, event, wording, suppressed);
      return line.fixed(NEWLINE);
    }
    this.#openJson(line, event, wording, this.#openings.decision);
    wording.verdict(line, event);
    if (event.detail !== null) {
      line.fixed(DETAIL);
      line.json(event.detail);
    }
    if (event.vpcEndpoint !== null) {
      line.fixed(VPC_ENDPOINT);
      line.json(event.vpcEndpoint);
    }
    if (event.ech) line.fixed(ECH);
    if (event.dstMismatch) line.fixed(DST_MISMATCH);
    this.#suppressed(line, SUPPRESSED, suppressed);
    line.fixed(MSG);
    this.#decisionMessage(line, event, wording, suppressed);
    line.fixed(END);
  }

  /** `suppressed`: the line stands for so many flows more, and has the bytes of all. */
  closed(event: CloseEvent, suppressed: number): void {
    const line = this.#begin(event, 0);
    if (line === null) return;
    const wording = this.#phrases.of(event);
    if (this.#format === 'text') {
      this.#openText(line, event);
      this.#closeMessage(line, event, wording, suppressed);
      return line.fixed(NEWLINE);
    }
    this.#openJson(line, event, wording, this.#openings.close);
    line.fixed(BYTES_OUT);
    line.integer(event.bytesOut);
    line.fixed(BYTES_IN);
    line.integer(event.bytesIn);
    line.fixed(DURATION_MS);
    line.integer(Math.round(event.durationMs));
    line.fixed(ENDED);
    line.plain(event.end);
    if (event.reason !== null) {
      line.fixed(CLOSE_REASON);
      line.plain(event.reason);
    }
    line.fixed(CLOSING);
    this.#suppressed(line, SUPPRESSED, suppressed);
    line.fixed(MSG);
    this.#closeMessage(line, event, wording, suppressed);
    line.fixed(END);
  }

  /** The lines since the last call. */
  take(): FlowLineReport {
    this.#handOver();
    const report = { lines: this.#full, lost: this.#lost };
    this.#full = [];
    this.#lost = 0;
    return report;
  }

  /** Memory for one more line; null, and the line is lost, when there is none to be had. */
  #begin(event: FlowIdentity, otherUnits: number): LineBuffer | null {
    const units = event.flow.length + event.listener.length + lengthOf(event.hostname) + otherUnits;
    // Each text stands in the record and in its message.
    const bytes = this.#fixedBytes + 2 * units * MAX_BYTES_PER_UNIT;
    if (this.#memory !== null && this.#line.room >= bytes) return this.#line;
    this.#handOver();
    const memory = this.#chunks.take(bytes);
    if (memory === null) {
      this.#lost++;
      return null;
    }
    this.#memory = memory;
    this.#line = new LineBuffer(writable(memory));
    return this.#line;
  }

  #handOver(): void {
    if (this.#memory !== null && this.#line.length > 0)
      this.#full.push(this.#chunks.handOver(this.#memory, this.#line.length));
    this.#memory = null;
  }

  #openJson(
    line: LineBuffer,
    event: FlowIdentity & { timeMs: number },
    wording: Wording,
    opening: Uint8Array,
  ): void {
    line.fixed(LEVEL);
    this.#time(line, event.timeMs);
    line.fixed(opening);
    line.json(event.flow);
    line.fixed(LISTENER);
    line.json(event.listener);
    line.fixed(SRC_IP);
    line.json(event.srcIp);
    line.fixed(SRC_PORT);
    line.integer(event.srcPort);
    wording.destination(line, event);
  }

  #openText(line: LineBuffer, event: { timeMs: number }): void {
    this.#time(line, event.timeMs);
    line.fixed(TEXT_LEVEL);
  }

  #time(line: LineBuffer, timeMs: number): void {
    line.plain(this.#clock.secondsOf(timeMs));
    line.digits(timeMs - 1_000 * Math.floor(timeMs / 1_000), 3);
  }

  /** `Gateway=… S_IP=… D_IP=… hostname=… state=… [drop_reason=…] [Rule=…] [vpc_endpoint=…] [suppressed=…]`, each value escaped. */
  #decisionMessage(line: LineBuffer, event: DecisionEvent, wording: Wording, suppressed: number): void {
    this.#identity(line, event, wording);
    wording.verdictInMessage(line, event);
    if (event.vpcEndpoint !== null && this.#format === 'text') {
      line.fixed(TEXT_VPC_ENDPOINT);
      line.value('text', event.vpcEndpoint);
    }
    this.#suppressed(line, TEXT_SUPPRESSED, suppressed);
  }

  /** The same opening as a decision's; no `state=`, so that a parser that counts verdicts counts each flow once. */
  #closeMessage(line: LineBuffer, event: CloseEvent, wording: Wording, suppressed: number): void {
    this.#identity(line, event, wording);
    line.fixed(TEXT_END);
    line.plain(event.end);
    line.fixed(TEXT_BYTES_OUT);
    line.integer(event.bytesOut);
    line.fixed(TEXT_BYTES_IN);
    line.integer(event.bytesIn);
    line.fixed(TEXT_DURATION_MS);
    line.integer(Math.round(event.durationMs));
    dropReasonInMessage(line, event);
    this.#suppressed(line, TEXT_SUPPRESSED, suppressed);
  }

  #suppressed(line: LineBuffer, name: Uint8Array, count: number): void {
    if (count === 0) return;
    line.fixed(name);
    line.integer(count);
  }

  #identity(line: LineBuffer, event: FlowIdentity, wording: Wording): void {
    line.fixed(this.#gateway);
    line.value(this.#format, event.srcIp);
    wording.destinationInMessage(line, event);
  }
}

function lengthOf(text: string | null): number {
  return text === null ? 0 : text.length;
}
