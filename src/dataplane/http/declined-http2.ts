import type { IncomingMessage } from 'node:http';
import { withoutHttp2Offer } from '../../sniff/http2-offer.ts';
import { pairsOf } from './forwarded-fields.ts';

/** The head of a request that offers HTTP/2, written anew without the offer. Null where HTTP/2 is not offered. */
export function declinedHttp2({ method, url, httpVersion, rawHeaders }: IncomingMessage): Uint8Array | null {
  const fields = withoutHttp2Offer(pairsOf(rawHeaders));
  if (fields === null) return null;
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${method} ${url} HTTP/${httpVersion}\r\n${lines.join('')}\r\n`, 'latin1');
}
