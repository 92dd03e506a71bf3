import { STATUS_CODES } from 'node:http';
import type { HeaderField } from '../../sniff/http-line.ts';

/** An answer of our own instead of an upstream's. */
export interface Answer {
  readonly status: number;
  /** Of RFC 9209 §2.3, for Proxy-Status. */
  readonly error: string;
  /** What the refusal is about: a hostname, or `the request`. Without control characters and quotes. */
  readonly subject: string;
  /** One word for programs. */
  readonly reason: string;
  /** One sentence for people. */
  readonly explanation: string;
}

export interface AnswerTo {
  readonly gateway: string;
  /** The client's Accept lines: text unless they name JSON. */
  readonly accept: string;
  readonly isHead: boolean;
}

/** A whole response, which also ends the connection. */
export function answerBytes(answer: Answer, { gateway, accept, isHead }: AnswerTo): Uint8Array {
  const { status, error, subject, reason, explanation } = answer;
  const isJson = /\bapplication\/(?:[a-z.-]+\+)?json\b/i.test(accept);
  const message = `${gateway} refused ${subject}: ${reason} (${explanation})`;
  const body = isJson ? `${JSON.stringify({ gateway, subject, reason, message })}\n` : `${message}\n`;
  const head = headBytes(status, STATUS_CODES[status] ?? '', [
    ['Proxy-Status', `${gateway}; error=${error}; details="${reason}"`],
    ['Content-Type', isJson ? 'application/json' : 'text/plain; charset=utf-8'],
    ['Content-Length', String(Buffer.byteLength(body))],
    ['Connection', 'close'],
  ]);
  return isHead ? head : Buffer.concat([head, Buffer.from(body)]);
}

/** The head of a response. Fields must be as a parser has let them through: without line ends. */
export function headBytes(status: number, message: string, fields: readonly HeaderField[]): Uint8Array {
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`HTTP/1.1 ${status} ${message}\r\n${lines.join('')}\r\n`, 'latin1');
}
