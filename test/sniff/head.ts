import { expect } from 'vitest';
import {
  parseRequestHead,
  type RequestHead,
  type RequestHeadResult,
  type RequestHeadResume,
} from '../../src/sniff/http-head.ts';
import { text } from '../support/client-hello.ts';

/** Parses growing prefixes, `step` bytes longer each time: the first result that is final. */
export function feedHead(stream: Uint8Array, step: number): RequestHeadResult {
  let resume: RequestHeadResume | undefined;
  for (let length = 0; ; length = Math.min(length + step, stream.length)) {
    const result = parseRequestHead(stream.slice(0, length), resume);
    if (result.kind !== 'need-more' || length === stream.length) return result;
    resume = result.resume;
  }
}

/** The head of a request given as lines. */
export function headOf(...lines: string[]): RequestHead {
  const result = parseRequestHead(text(`${lines.join('\r\n')}\r\n\r\n`));
  if (result.kind !== 'done') return expect.unreachable(JSON.stringify(result));
  return result;
}
