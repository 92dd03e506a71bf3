import { expect } from 'vitest';
import { type ClientHelloResult, type ClientHelloResume, parseClientHello } from '../../src/tls-sni/index.ts';

/** Parses a growing prefix of `stream` that ends at each of `stops`, then the whole: the first result that is final. */
export function feed(stream: Uint8Array, stops: Iterable<number>): ClientHelloResult {
  let resume: ClientHelloResume | undefined;
  let last: ClientHelloResult | undefined;
  for (const stop of [...stops, stream.length]) {
    last = parseClientHello(stream.slice(0, stop), resume);
    if (last.kind !== 'need-more') return last;
    expect(last.atLeast).toBeGreaterThan(stop);
    resume = last.resume;
  }
  return last ?? parseClientHello(stream);
}

/** 1, 2, … up to the stream's last byte. */
export function everyByte(stream: Uint8Array): number[] {
  return Array.from(stream, (_, i) => i + 1);
}
