import { FILE_LENGTHS, patternOf } from './web-farm.ts';

const KINDS = [
  'get',
  'head',
  'range',
  'not-modified',
  'empty',
  'post',
  'chunked',
  'expect',
  'denied',
] as const;

/** One request of a run, and what must come of it. Bodies are the farm's pattern. */
export interface Visit {
  readonly kind: (typeof KINDS)[number];
  readonly host: string;
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes to send. */
  readonly sends: number;
  readonly status: number;
  /** The body that comes back: a part of the pattern. Null: not looked at. */
  readonly answer: { readonly from: number; readonly to: number } | null;
}

/** A spread of `count` requests to both servers and to the host that is denied, the same every time. */
export function planVisits(count: number): Visit[] {
  return Array.from({ length: count }, (_, i) => visit(i));
}

function visit(i: number): Visit {
  // A step that is prime to all of them goes through every combination.
  const kind = KINDS[(i * 7) % KINDS.length] ?? 'get';
  const length = FILE_LENGTHS[(i * 3) % FILE_LENGTHS.length] ?? 0;
  const host = i % 2 === 0 ? 'nginx.example' : 'haproxy.example';
  const get = {
    kind,
    host,
    method: 'GET',
    path: `/file/${length}`,
    headers: {},
    sends: 0,
    status: 200,
    answer: { from: 0, to: length },
  } as const;
  const post = { ...get, method: 'POST', path: '/echo', sends: length } as const;
  switch (kind) {
    case 'get':
      return get;
    case 'head':
      return { ...get, method: 'HEAD', answer: { from: 0, to: 0 } };
    case 'range':
      return {
        ...get,
        path: '/file/65536',
        headers: { Range: `bytes=${i % 1_000}-${20_000 + (i % 1_000)}` },
        status: 206,
        answer: { from: i % 1_000, to: 20_001 + (i % 1_000) },
      };
    case 'not-modified':
      return {
        ...get,
        headers: { 'If-Modified-Since': 'Fri, 31 Dec 2100 23:59:59 GMT' },
        status: 304,
        answer: { from: 0, to: 0 },
      };
    case 'empty':
      return { ...get, path: '/empty', status: 204, answer: { from: 0, to: 0 } };
    case 'post':
      return { ...post, headers: { 'Content-Length': String(length) } };
    case 'chunked':
      return { ...post, headers: { 'Transfer-Encoding': 'chunked' } };
    case 'expect':
      return expecting(post, Math.max(length, 1));
    case 'denied':
      return { ...get, host: 'denied.example', status: 403, answer: null };
    default:
      return kind satisfies never;
  }
}

/**
 * A body of nothing is not waited for by every server. And HAProxy 2.6 by itself stalls now and then, in the answer, when a
 * client that expects 100 sends its body without waiting for it, as Python's does: so these go to nginx.
 */
function expecting(post: Visit, length: number): Visit {
  const headers = { 'Content-Length': String(length), Expect: '100-continue' };
  return { ...post, host: 'nginx.example', headers, sends: length, answer: { from: 0, to: length } };
}

/** What came instead of what must come; null when nothing did. */
export function faultOf(visit: Visit, status: number | undefined, body: Buffer | number): string | null {
  const label = `${visit.method} ${visit.host}${visit.path} (${visit.kind})`;
  if (status !== visit.status) return `${label}: ${status} instead of ${visit.status}`;
  if (visit.answer === null) return null;
  const { from, to } = visit.answer;
  if (typeof body === 'number') {
    return body === to - from ? null : `${label}: ${body} bytes instead of ${to - from}`;
  }
  return body.equals(patternOf(to).subarray(from))
    ? null
    : `${label}: ${body.length} bytes of something else`;
}
