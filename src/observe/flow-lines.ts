import type { CloseEvent, DecisionEvent, FlowIdentity, FlowObserver } from '../dataplane/events.ts';
import { escapeJson, escapeValue } from './escape.ts';
import { IsoClock } from './iso-time.ts';
import { LineBuffer, MAX_BYTES_PER_UNIT } from './line-buffer.ts';
import { LineChunks, type Lines, writable } from './line-chunks.ts';
import type { LogFormat } from './log.ts';

/** More than the names of all fields, the numbers and the values from closed lists take in one line. */
const FIXED_BYTES = 1_024;
/** Time to take the lines when less than this is left. */
const LOW_BYTES = 16 * 1024;

/** Lines for the main thread, and how many found no memory since they were last taken. */
export interface FlowLineReport {
  readonly lines: readonly Lines[];
  readonly lost: number;
}

/**
 * Writes decision and close records as log lines, in ASCII, into memory that the main thread reads: two a flow are most
 * of what a short flow costs outside the kernel. Whatever came off the wire passes through a verb of `LineBuffer` that
 * escapes.
 */
export class FlowLines implements FlowObserver {
  readonly #format: LogFormat;
  /** What stands between the time and the flow's own fields in JSON. */
  readonly #openings: { readonly decision: string; readonly close: string };
  /** How a message begins. */
  readonly #gatewayText: string;
  readonly #fixedBytes: number;
  readonly #clock = new IsoClock();
  readonly #chunks: LineChunks;
  #memory: SharedArrayBuffer | null = null;
  #line = new LineBuffer(new Uint8Array(0));
  #full: Lines[] = [];
  #lost = 0;

  constructor(
    { format, gateway }: { readonly format: LogFormat; readonly gateway: string },
    chunks = new LineChunks(),
  ) {
    this.#format = format;
    const gatewayValue = escapeValue(gateway);
    this.#gatewayText = `Gateway=${format === 'json' ? escapeJson(gatewayValue) : gatewayValue} S_IP=`;
    const opening = (event: string) => `Z","event":"${event}","gateway":"${escapeJson(gateway)}","flow":`;
    this.#openings = { decision: opening('decision'), close: opening('close') };
    this.#fixedBytes = FIXED_BYTES + this.#gatewayText.length + this.#openings.decision.length;
    this.#chunks = chunks;
  }

  /** Whether it is time to take the lines. */
  get isFull(): boolean {
    return this.#memory !== null && this.#line.room < LOW_BYTES;
  }

  decided(event: DecisionEvent): void {
    const line = this.#begin(event, lengthOf(event.rule) + lengthOf(event.detail));
    if (line === null) return;
    if (this.#format === 'text') {
      this.#openText(line, event);
      this.#decisionMessage(line, event);
      return line.plain('\n');
    }
    this.#openJson(line, event, this.#openings.decision);
    line.plain(',"state":"');
    line.plain(event.state);
    line.plain('","action":"');
    line.plain(event.action);
    line.plain('","reason":');
    line.json(event.reason);
    line.plain(',"rule":');
    line.json(event.rule);
    if (event.detail !== null) {
      line.plain(',"detail":');
      line.json(event.detail);
    }
    line.plain(',"msg":"');
    this.#decisionMessage(line, event);
    line.plain('"}\n');
  }

  closed(event: CloseEvent): void {
    const line = this.#begin(event, 0);
    if (line === null) return;
    if (this.#format === 'text') {
      this.#openText(line, event);
      this.#closeMessage(line, event);
      return line.plain('\n');
    }
    this.#openJson(line, event, this.#openings.close);
    line.plain(',"bytes_out":');
    line.integer(event.bytesOut);
    line.plain(',"bytes_in":');
    line.integer(event.bytesIn);
    line.plain(',"duration_ms":');
    line.integer(Math.round(event.durationMs));
    line.plain(',"end":"');
    line.plain(event.end);
    if (event.reason !== null) {
      line.plain('","reason":"');
      line.plain(event.reason);
    }
    line.plain('","msg":"');
    this.#closeMessage(line, event);
    line.plain('"}\n');
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

  #openJson(line: LineBuffer, event: FlowIdentity & { timeMs: number }, opening: string): void {
    line.plain('{"level":"info","time":"');
    this.#time(line, event.timeMs);
    line.plain(opening);
    line.json(event.flow);
    line.plain(',"listener":');
    line.json(event.listener);
    line.plain(',"src_ip":');
    line.json(event.srcIp);
    line.plain(',"src_port":');
    line.integer(event.srcPort);
    line.plain(',"dst_ip":');
    line.json(event.dstIp);
    line.plain(',"dst_port":');
    line.integer(event.dstPort);
    line.plain(',"hostname":');
    line.json(event.hostname);
    line.plain(',"protocol":"');
    line.plain(event.protocol);
    line.plain('"');
  }

  #openText(line: LineBuffer, event: { timeMs: number }): void {
    this.#time(line, event.timeMs);
    line.plain('Z info ');
  }

  #time(line: LineBuffer, timeMs: number): void {
    line.plain(this.#clock.secondsOf(timeMs));
    line.digits(timeMs - 1_000 * Math.floor(timeMs / 1_000), 3);
  }

  /** `Gateway=… S_IP=… D_IP=… hostname=… state=… [drop_reason=…] [Rule=…]`, each value escaped. */
  #decisionMessage(line: LineBuffer, event: DecisionEvent): void {
    this.#identity(line, event);
    line.plain(' state=');
    line.plain(event.state);
    if (event.reason !== null) {
      line.plain(' drop_reason=');
      line.plain(event.reason.toUpperCase());
    }
    if (event.rule !== null) {
      line.plain(' Rule=');
      this.#value(line, event.rule);
    }
  }

  /** The same opening as a decision's; no `state=`, so that a parser that counts verdicts counts each flow once. */
  #closeMessage(line: LineBuffer, event: CloseEvent): void {
    this.#identity(line, event);
    line.plain(' end=');
    line.plain(event.end);
    line.plain(' bytes_out=');
    line.integer(event.bytesOut);
    line.plain(' bytes_in=');
    line.integer(event.bytesIn);
    line.plain(' duration_ms=');
    line.integer(Math.round(event.durationMs));
    if (event.reason !== null) {
      line.plain(' drop_reason=');
      line.plain(event.reason.toUpperCase());
    }
  }

  #identity(line: LineBuffer, event: FlowIdentity): void {
    line.plain(this.#gatewayText);
    this.#value(line, event.srcIp);
    line.plain(' D_IP=');
    this.#value(line, event.dstIp);
    line.plain(' hostname=');
    this.#value(line, event.hostname);
  }

  #value(line: LineBuffer, text: string | null): void {
    if (this.#format === 'json') line.valueInJson(text);
    else line.value(text);
  }
}

function lengthOf(text: string | null): number {
  return text === null ? 0 : text.length;
}
