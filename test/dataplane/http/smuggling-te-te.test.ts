import { describe, expect, it } from 'vitest';
import { attack, EVIL } from './attack.ts';

/** One of two servers is made to overlook the Transfer-Encoding. */
describe('smuggling by a Transfer-Encoding in disguise', () => {
  const body = `0\r\n\r\n${EVIL}`;
  const post = (...lines: string[]) =>
    ['POST / HTTP/1.1', 'Host: allowed.example', ...lines, '', body].join('\r\n');

  it.each([
    ['xchunked', post('Transfer-Encoding: xchunked')],
    ['quoted', post('Transfer-Encoding: "chunked"')],
    ['identity', post('Transfer-Encoding: identity')],
    ['identity after chunked', post('Transfer-Encoding: chunked, identity')],
    ['chunked twice in a line', post('Transfer-Encoding: chunked, chunked')],
    ['chunked in two lines', post('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')],
    ['something else in a second line', post('Transfer-Encoding: chunked', 'Transfer-Encoding: x')],
    ['something else in a first line', post('Transfer-Encoding: x', 'Transfer-Encoding: chunked')],
    ['a parameter', post('Transfer-Encoding: chunked;a=b')],
    ['a list with nothing in it', post('Transfer-Encoding: , chunked')],
    ['a vertical tab', post('Transfer-Encoding: \x0bchunked')],
    ['a space before the colon', post('Transfer-Encoding : chunked')],
    ['a space before the name', post(' Transfer-Encoding: chunked')],
    ['a folded line', post('Transfer-Encoding:', ' chunked')],
    ['a line behind a bare carriage return', post('X: y\rTransfer-Encoding: chunked')],
    ['a line behind a bare line feed', post('X: y\nTransfer-Encoding: chunked')],
    ['a name behind a zero byte', post('X: y\0Transfer-Encoding: chunked')],
    ['an underscore', post('Transfer_Encoding: chunked', 'Transfer-Encoding: x')],
    ['HTTP/1.0', post('Transfer-Encoding: chunked').replace('1.1', '1.0')],
  ])('has nothing forwarded: %s', async (_what, request) => {
    expect(await attack(request)).toEqual({ upstream: [], statuses: [400] });
  });

  it('has the rest judged as the request that it is where the coding is plain', async () => {
    const { upstream, statuses } = await attack(post('Transfer-Encoding: chunked'));
    expect(upstream).toEqual([post('Transfer-Encoding: chunked').replace(EVIL, '')]);
    expect(statuses).toEqual([200, 403]);
  });
});
