import { describe, expect, it } from 'vitest';
import { attack, EVIL } from './attack.ts';

/** A front that believes Transfer-Encoding and a back that believes Content-Length. */
describe('smuggling by chunks and a length', () => {
  const post = (...lines: string[]) =>
    ['POST / HTTP/1.1', 'Host: allowed.example', ...lines, '', ''].join('\r\n');
  const body = `${EVIL.length.toString(16)}\r\n${EVIL}\r\n0\r\n\r\n`;

  it.each([
    ['a length of nothing', post('Transfer-Encoding: chunked', 'Content-Length: 0')],
    [
      'a length that ends inside the first chunk line',
      post('Content-Length: 4', 'Transfer-Encoding: chunked'),
    ],
    [
      'a length that a Connection line asks to be dropped',
      post('Connection: Content-Length', 'Transfer-Encoding: chunked', 'Content-Length: 4'),
    ],
    [
      'a coding that a Connection line asks to be dropped',
      post('Connection: Transfer-Encoding', 'Transfer-Encoding: chunked', 'Content-Length: 4'),
    ],
  ])('has nothing forwarded: %s', async (_what, head) => {
    expect(await attack(head + body)).toEqual({ upstream: [], statuses: [400] });
  });

  it.each([
    ['a coding', post('Connection: Transfer-Encoding', 'Transfer-Encoding: chunked') + body],
    ['a length', post('Connection: Content-Length', `Content-Length: ${EVIL.length}`) + EVIL],
  ])('%s that a Connection line asks to be dropped frames the body all the same', async (_what, request) => {
    const { upstream } = await attack(request);
    expect(upstream).toEqual([request.replace(/Connection: [^\r]*\r\n/, '')]);
  });
});
