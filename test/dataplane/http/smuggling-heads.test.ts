import { describe, expect, it } from 'vitest';
import { attack, EVIL } from './attack.ts';

/** Heads that two servers read differently. */
describe('smuggling by lines of a head', () => {
  it.each([
    ['bare line feeds', 'GET / HTTP/1.1\nHost: allowed.example\n\n'],
    ['one bare line feed', 'GET / HTTP/1.1\r\nHost: evil.example\nX: y\r\nHost: allowed.example\r\n\r\n'],
    ['a bare carriage return', 'GET / HTTP/1.1\r\nX: y\rHost: evil.example\r\nHost: allowed.example\r\n\r\n'],
    ['two carriage returns', 'GET / HTTP/1.1\r\r\nHost: allowed.example\r\n\r\n'],
    ['a folded Host', 'GET / HTTP/1.1\r\nHost: allowed.example\r\n .evil.example\r\n\r\n'],
    [
      'a first line that begins with a space',
      'GET / HTTP/1.1\r\n Host: evil.example\r\nHost: allowed.example\r\n\r\n',
    ],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost : evil.example\r\nHost: allowed.example\r\n\r\n'],
    ['a zero byte', 'GET / HTTP/1.1\r\nHost: allowed.example\0evil.example\r\n\r\n'],
    ['a second Host', 'GET / HTTP/1.1\r\nHost: allowed.example\r\nHost: evil.example\r\n\r\n'],
    ['a Host in other case', 'GET / HTTP/1.1\r\nhOsT: evil.example\r\nHost: allowed.example\r\n\r\n'],
    ['another host in the target', 'GET http://evil.example/ HTTP/1.1\r\nHost: allowed.example\r\n\r\n'],
    [
      'a user name in the target',
      'GET http://allowed.example@evil.example/ HTTP/1.1\r\nHost: allowed.example\r\n\r\n',
    ],
    ['two spaces', 'GET  / HTTP/1.1\r\nHost: allowed.example\r\n\r\n'],
    ['a request in the target', 'GET /\tHTTP/1.1 HTTP/1.1\r\nHost: allowed.example\r\n\r\n'],
    ['a version of HTTP/2', 'GET / HTTP/2.0\r\nHost: allowed.example\r\n\r\n'],
    ['no version', 'GET /\r\nHost: allowed.example\r\n\r\n'],
  ])('has nothing forwarded: %s', async (_what, bytes) => {
    const { upstream, statuses } = await attack(bytes + EVIL);
    expect(upstream).toEqual([]);
    expect(statuses).toEqual([400]);
  });

  const good = 'GET / HTTP/1.1\r\nHost: allowed.example\r\n\r\n';

  it.each([
    ['bare line feeds', 'GET / HTTP/1.1\nHost: evil.example\n\n'],
    ['a second Host', 'GET / HTTP/1.1\r\nHost: allowed.example\r\nHost: evil.example\r\n\r\n'],
    ['another host in the target', 'GET http://evil.example/ HTTP/1.1\r\nHost: allowed.example\r\n\r\n'],
    ['a folded Host', 'GET / HTTP/1.1\r\nHost: allowed.example\r\n .evil.example\r\n\r\n'],
    ['a version of HTTP/2', 'GET / HTTP/2.0\r\nHost: allowed.example\r\n\r\n'],
    ['no version', 'GET /\r\n\r\n'],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['CONNECT', 'CONNECT evil.example:80 HTTP/1.1\r\nHost: evil.example:80\r\n\r\n'],
  ])('has nothing forwarded behind a good request either: %s', async (_what, bytes) => {
    expect(await attack(good + bytes + EVIL)).toEqual({ upstream: [good], statuses: [200, 400] });
    expect(await attack(good, bytes, EVIL)).toEqual({ upstream: [good], statuses: [200, 400] });
  });

  it('two spaces behind a good request go upstream as one', async () => {
    const { upstream } = await attack(`${good}GET  / HTTP/1.1\r\nHost: allowed.example\r\n\r\n`);
    expect(upstream).toEqual([good + good]);
  });
});
