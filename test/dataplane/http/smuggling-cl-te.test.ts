import { describe, expect, it } from 'vitest';
import { attack, EVIL } from './attack.ts';

/** A front that believes Content-Length and a back that believes Transfer-Encoding. */
describe('smuggling by a length and chunks', () => {
  const post = (...lines: string[]) =>
    ['POST / HTTP/1.1', 'Host: allowed.example', ...lines, '', ''].join('\r\n');
  const body = `0\r\n\r\n${EVIL}`;
  const length = `Content-Length: ${body.length}`;

  it.each([
    ['the length first', post(length, 'Transfer-Encoding: chunked')],
    ['the length last', post('Transfer-Encoding: chunked', length)],
    ['the coding in other case', post(length, 'transfer-ENCODING: CHUNKED')],
    ['the length said twice', post(length, length)],
    ['two lengths', post('Content-Length: 5', length)],
    ['a list of lengths', post(`Content-Length: 5, ${body.length}`)],
    ['a signed length', post(`Content-Length: +${body.length}`)],
    ['a hexadecimal length', post('Content-Length: 0x5')],
    ['a length beyond all numbers', post('Content-Length: 18446744073709551621')],
    ['a length with a space inside', post('Content-Length: 5 0')],
    ['an empty length', post('Content-Length:')],
  ])('has nothing forwarded: %s', async (_what, head) => {
    const { upstream, statuses } = await attack(head + body);
    expect(upstream).toEqual([]);
    expect(statuses).toEqual([400]);
  });

  it('has nothing forwarded when the body comes later, or on a connection that is kept', async () => {
    const bad = post(length, 'Transfer-Encoding: chunked');
    expect(await attack(bad, body)).toEqual({ upstream: [], statuses: [400] });
    const good = 'GET / HTTP/1.1\r\nHost: allowed.example\r\n\r\n';
    expect(await attack(good, bad, body)).toEqual({ upstream: [good], statuses: [200, 400] });
  });

  it('a body that looks like a request stays a body', async () => {
    const request = post(`Content-Length: ${EVIL.length}`) + EVIL;
    const { upstream } = await attack(request);
    expect(upstream).toEqual([request]);
  });
});
