import type { CloseEvent, DecisionEvent, FlowIdentity, FlowObserver } from '../dataplane/events.ts';
import { escapeValue } from './escape.ts';
import { IsoClock } from './iso-time.ts';
import type { LogFormat } from './log.ts';

/** Strings that stand in JSON as they are. */
const PLAIN = /^[ !#-[\]-~]*$/;
const NOT_ASCII = /[^ -~]/g;
/** Larger messages to the main thread cost more a byte: their memory comes from the system each time. */
const FULL_BYTES = 32 * 1024;

/**
 * Writes decision and close records as log lines, in ASCII. They are put together by hand, into one buffer: two a flow
 * are most of what a short flow costs outside the kernel, a serialiser takes three times as long, and strings would
 * have to be copied for the main thread. Whatever came off the wire goes through `quote` or `escapeValue`.
 */
export class FlowLines implements FlowObserver {
  readonly #format: LogFormat;
  readonly #gateway: string;
  readonly #clock = new IsoClock();
  #lines = Buffer.allocUnsafeSlow(2 * FULL_BYTES);
  #length = 0;

  constructor({ format, gateway }: { readonly format: LogFormat; readonly gateway: string }) {
    this.#format = format;
    this.#gateway = gateway;
  }

  /** Whether it is time to take the lines. */
  get isFull(): boolean {
    return this.#length >= FULL_BYTES;
  }

  decided(event: DecisionEvent): void {
    const message = this.#decisionMessage(event);
    if (this.#format === 'text') return this.#text(event.timeMs, message);
    const { state, action, reason, rule } = event;
    const detail = event.detail === null ? '' : `,"detail":${quote(event.detail)}`;
    const verdict = `"state":"${state}","action":"${action}","reason":${quote(reason)},"rule":${quote(rule)}${detail}`;
    this.#json('decision', event, verdict, message);
  }

  closed(event: CloseEvent): void {
    const message = this.#closeMessage(event);
    if (this.#format === 'text') return this.#text(event.timeMs, message);
    const { bytesOut, bytesIn, durationMs, end } = event;
    const reason = event.reason === null ? '' : `,"reason":"${event.reason}"`;
    const ending = `"bytes_out":${bytesOut},"bytes_in":${bytesIn},"duration_ms":${Math.round(durationMs)},"end":"${end}"${reason}`;
    this.#json('close', event, ending, message);
  }

  /** The lines since the last call, each with its newline. The bytes are the caller's. */
  take(): Uint8Array {
    const lines = Uint8Array.from(this.#lines.subarray(0, this.#length));
    this.#length = 0;
    return lines;
  }

  #append(line: string): void {
    if (this.#length + line.length > this.#lines.length) {
      const larger = Buffer.allocUnsafeSlow(2 * this.#lines.length + line.length);
      this.#lines.copy(larger, 0, 0, this.#length);
      this.#lines = larger;
    }
    this.#length += this.#lines.write(line, this.#length, 'latin1');
  }

  #json(
    name: 'decision' | 'close',
    event: FlowIdentity & { timeMs: number },
    rest: string,
    message: string,
  ): void {
    const { flow, listener, srcIp, srcPort, dstIp, dstPort, hostname, protocol } = event;
    this.#append(
      `{"level":"info","time":"${this.#clock.format(event.timeMs)}","event":"${name}","gateway":${quote(this.#gateway)},` +
        `"flow":${quote(flow)},"listener":${quote(listener)},"src_ip":${quote(srcIp)},"src_port":${srcPort},` +
        `"dst_ip":${quote(dstIp)},"dst_port":${dstPort},"hostname":${quote(hostname)},"protocol":"${protocol}",` +
        `${rest},"msg":${quote(message)}}\n`,
    );
  }

  #text(timeMs: number, message: string): void {
    this.#append(`${this.#clock.format(timeMs)} info ${message}\n`);
  }

  /** `Gateway=… S_IP=… D_IP=… hostname=… state=… [drop_reason=…] [Rule=…]`, each value escaped. */
  #decisionMessage(event: DecisionEvent): string {
    const dropReason = event.reason === null ? '' : ` drop_reason=${event.reason.toUpperCase()}`;
    const rule = event.rule === null ? '' : ` Rule=${escapeValue(event.rule)}`;
    return `${this.#identity(event)} state=${event.state}${dropReason}${rule}`;
  }

  /** The same opening as a decision's; no `state=`, so that a parser that counts verdicts counts each flow once. */
  #closeMessage(event: CloseEvent): string {
    const { end, bytesOut, bytesIn } = event;
    const durationMs = Math.round(event.durationMs);
    const reason = event.reason === null ? '' : ` drop_reason=${event.reason.toUpperCase()}`;
    return `${this.#identity(event)} end=${end} bytes_out=${bytesOut} bytes_in=${bytesIn} duration_ms=${durationMs}${reason}`;
  }

  #identity({ srcIp, dstIp, hostname }: FlowIdentity): string {
    return `Gateway=${escapeValue(this.#gateway)} S_IP=${escapeValue(srcIp)} D_IP=${escapeValue(dstIp)} hostname=${escapeValue(hostname)}`;
  }
}

function quote(text: string | null): string {
  if (text === null) return 'null';
  if (PLAIN.test(text)) return `"${text}"`;
  return JSON.stringify(text).replace(
    NOT_ASCII,
    unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
