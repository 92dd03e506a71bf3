import type { RequestHeadFault } from './http-fault.ts';

type HttpVersion = '1.0' | '1.1';

export interface RequestLine {
  readonly method: string;
  readonly target: string;
  readonly version: HttpVersion;
}

/** Name as sent, value without the white space around it. */
export type HeaderField = readonly [name: string, value: string];

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VISIBLE_ASCII = /^[\x21-\x7e]+$/;

/** RFC 9112 §3: `method SP request-target SP HTTP-version`, held to single spaces and visible ASCII. */
export function parseRequestLine(line: string): RequestLine | RequestHeadFault {
  const [method, target, versionText, ...more] = line.split(' ');
  if (method === undefined || target === undefined || versionText === undefined || more.length > 0) {
    return 'request-line';
  }
  if (!TOKEN.test(method)) return 'method';
  if (!VISIBLE_ASCII.test(target)) return 'target';
  if (versionText !== 'HTTP/1.0' && versionText !== 'HTTP/1.1') return 'version';
  return { method, target, version: versionText === 'HTTP/1.0' ? '1.0' : '1.1' };
}

/** RFC 9112 §5: `field-name ":" OWS field-value OWS`. Values may hold bytes above 0x7f (obs-text). */
export function parseHeaderLine(line: string): HeaderField | RequestHeadFault {
  if (isBlank(line, 0)) return 'header-fold';
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(colon, 0));
  if (!TOKEN.test(name)) return 'header-name';
  let start = colon + 1;
  let end = line.length;
  while (start < end && isBlank(line, start)) start++;
  while (end > start && isBlank(line, end - 1)) end--;
  return [name, line.slice(start, end)];
}

function isBlank(line: string, at: number): boolean {
  const code = line.charCodeAt(at);
  return code === 0x20 || code === 0x09;
}
