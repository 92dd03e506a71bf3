import { type ClientRequest, request } from 'node:http';
import type { HeaderField } from '../../sniff/http-line.ts';
import type { Upstream } from './upstream.ts';

/** An upstream's head may be larger than a client's: cookies. */
const MAX_RESPONSE_HEAD_BYTES = 65_536;

export interface RequestLineAndFields {
  readonly method: string;
  /** A path with its query, or `*`. */
  readonly path: string;
  readonly fields: readonly HeaderField[];
}

/** Starts a request upstream and sends its head, with exactly the given header lines. The body is the caller's to send. */
export function sendHead(upstream: Upstream, { method, path, fields }: RequestLineAndFields): ClientRequest {
  const sent = request({
    agent: upstream,
    method,
    path,
    setHost: false,
    insecureHTTPParser: false,
    maxHeaderSize: MAX_RESPONSE_HEAD_BYTES,
  });
  // 0: no limit but the bytes; otherwise lines beyond it would be dropped unsaid.
  sent.maxHeadersCount = 0;
  // node:http adds none of these when they were removed.
  for (const name of ['connection', 'content-length', 'transfer-encoding']) sent.removeHeader(name);
  for (const [name, values] of grouped(fields)) sent.setHeader(name, values);
  // Not flushHeaders, which would send bytes above ASCII as UTF-8.
  sent.write('', 'latin1');
  return sent;
}

/** Lines of one name must be set together; the order among them is kept. */
function grouped(fields: readonly HeaderField[]): Iterable<[string, string | string[]]> {
  const byName = new Map<string, [string, string[]]>();
  for (const [name, value] of fields) {
    const key = name.toLowerCase();
    const known = byName.get(key);
    if (known === undefined) byName.set(key, [name, [value]]);
    else known[1].push(value);
  }
  return [...byName.values()].map(([name, values]) => [
    name,
    values.length === 1 ? (values[0] ?? '') : values,
  ]);
}
