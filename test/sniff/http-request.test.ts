import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  HTTP_REQUEST_FAULTS,
  type HttpRequestFault,
  type HttpRole,
  judgeRequest,
} from '../../src/sniff/http-request.ts';
import { hostnameFault } from '../../src/tls-sni/index.ts';

const SERVER: HttpRole = { kind: 'server', port: 80 };
const PROXY: HttpRole = { kind: 'proxy' };

/** Judges a request given as its lines. */
function judge(role: HttpRole, requestLine: string, ...lines: string[]) {
  const [method = '', target = '', version = ''] = requestLine.split(' ');
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  return judgeRequest({ method, target, version: version.replace('HTTP/', ''), headers }, role);
}

const HOST = 'Host: a.example';

describe('judgeRequest names the host and port', () => {
  it.each<[string, HttpRole, string[], object]>([
    [
      'of the Host line',
      SERVER,
      ['GET /x HTTP/1.1', HOST],
      { target: { hostname: 'a.example', port: 80 }, path: '/x' },
    ],
    [
      'with the port that was dialled',
      { kind: 'server', port: 8080 },
      ['GET / HTTP/1.1', HOST],
      { target: { hostname: 'a.example', port: 8080 } },
    ],
    [
      'with a Host line that repeats that port',
      { kind: 'server', port: 8080 },
      ['GET / HTTP/1.1', `${HOST}:8080`],
      { target: { port: 8080 }, authority: 'a.example:8080' },
    ],
    ['of HTTP/1.0 with a Host line', SERVER, ['GET / HTTP/1.0', HOST], { target: { hostname: 'a.example' } }],
    [
      'in the letter case it has',
      SERVER,
      ['GET / HTTP/1.1', 'HOST: A.Example'],
      { target: { hostname: 'A.Example' }, authority: 'A.Example' },
    ],
    [
      'of a path that looks like a URL',
      SERVER,
      ['GET //b.example/ HTTP/1.1', HOST],
      { target: { hostname: 'a.example' }, path: '//b.example/' },
    ],
    ['of OPTIONS *', SERVER, ['OPTIONS * HTTP/1.1', HOST], { target: { hostname: 'a.example' }, path: '*' }],
    [
      'of an IPv4 address as address',
      SERVER,
      ['GET / HTTP/1.1', 'Host: 192.0.2.1'],
      { target: { kind: 'address', ip: '192.0.2.1', port: 80 } },
    ],
    [
      'of an IPv6 address as address',
      SERVER,
      ['GET / HTTP/1.1', 'Host: [2001:db8::1]:80'],
      { target: { kind: 'address', ip: '2001:db8::1', port: 80 } },
    ],
    [
      'of an absolute target at a server',
      SERVER,
      ['GET http://a.example/x?y HTTP/1.1', HOST],
      { target: { hostname: 'a.example' }, path: '/x?y' },
    ],
    [
      'of an absolute target at a proxy',
      PROXY,
      ['GET http://a.example:8080/ HTTP/1.1', `${HOST}:8080`],
      { target: { hostname: 'a.example', port: 8080 }, path: '/' },
    ],
    [
      'of an absolute target without path',
      PROXY,
      ['GET HTTP://a.example HTTP/1.1', HOST],
      { target: { port: 80 }, path: '/' },
    ],
    [
      'of an absolute target with only a query',
      PROXY,
      ['GET http://a.example?q HTTP/1.1', HOST],
      { path: '/?q' },
    ],
    ['of OPTIONS about a whole server', PROXY, ['OPTIONS http://a.example HTTP/1.1', HOST], { path: '*' }],
    [
      'of an absolute target and a Host line with the default port',
      PROXY,
      ['GET http://a.example/ HTTP/1.1', `${HOST}:80`],
      { target: { port: 80 }, authority: 'a.example:80' },
    ],
    [
      'of an absolute target in HTTP/1.0 without Host',
      PROXY,
      ['GET http://a.example:81/ HTTP/1.0'],
      { target: { port: 81 }, authority: 'a.example:81' },
    ],
    ['and a body by its length', SERVER, ['POST / HTTP/1.1', HOST, 'Content-Length: 5'], { body: 'length' }],
    ['and no body of length 0', SERVER, ['POST / HTTP/1.1', HOST, 'Content-Length: 0'], { body: 'none' }],
    [
      'and a chunked body',
      SERVER,
      ['POST / HTTP/1.1', HOST, 'Transfer-Encoding: Chunked'],
      { body: 'chunked' },
    ],
    [
      'of an upgrade',
      SERVER,
      ['GET / HTTP/1.1', HOST, 'Connection: Upgrade', 'Upgrade: websocket'],
      { body: 'none' },
    ],
  ])('%s', (_what, role, [requestLine = '', ...lines], expected) => {
    expect(judge(role, requestLine, ...lines)).toMatchObject({ kind: 'request', ...expected });
  });
});

describe('judgeRequest refuses', () => {
  it.each<[HttpRequestFault, HttpRole, string[]]>([
    ['version', SERVER, ['GET / HTTP/2.0', HOST]],
    ['version', SERVER, ['GET / HTTP/0.9', HOST]],
    ['version', SERVER, ['GET / HTTP/1.2', HOST]],
    ['http2-preface', SERVER, ['PRI * HTTP/2.0']],
    ['connect', SERVER, ['CONNECT a.example:443 HTTP/1.1', 'Host: a.example:443']],
    ['connect', PROXY, ['CONNECT a.example:443 HTTP/1.1', 'Host: a.example:443']],
    ['target-form', SERVER, ['GET * HTTP/1.1', HOST]],
    ['target-form', SERVER, ['GET a.example HTTP/1.1', HOST]],
    ['target-form', SERVER, ['GET a.example:80 HTTP/1.1', HOST]],
    ['target-form', SERVER, ['GET ?q HTTP/1.1', HOST]],
    ['target-form', PROXY, ['GET / HTTP/1.1', HOST]],
    ['target-form', PROXY, ['OPTIONS * HTTP/1.1', HOST]],
    ['target-form', PROXY, ['GET http:/a.example/ HTTP/1.1', HOST]],
    ['target-scheme', PROXY, ['GET https://a.example/ HTTP/1.1', HOST]],
    ['target-scheme', SERVER, ['GET ftp://a.example/ HTTP/1.1', HOST]],
    ['target-userinfo', PROXY, ['GET http://a.example@b.example/ HTTP/1.1', HOST]],
    ['target-userinfo', PROXY, ['GET http://u:p@a.example/ HTTP/1.1', HOST]],
    ['name-byte', PROXY, ['GET http://b.example\\.a.example/ HTTP/1.1', HOST]],
    ['host-missing', SERVER, ['GET / HTTP/1.1', 'Accept: */*']],
    ['host-missing', SERVER, ['GET / HTTP/1.0']],
    ['host-missing', PROXY, ['GET http://a.example/ HTTP/1.1']],
    ['host-duplicate', SERVER, ['GET / HTTP/1.1', HOST, HOST]],
    ['host-duplicate', SERVER, ['GET / HTTP/1.1', HOST, 'hOST: b.example']],
    ['host-differs', PROXY, ['GET http://a.example/ HTTP/1.1', 'Host: b.example']],
    ['host-differs', PROXY, ['GET http://a.example/ HTTP/1.1', `${HOST}:81`]],
    ['host-differs', PROXY, ['GET http://a.example:81/ HTTP/1.1', HOST]],
    ['host-differs', SERVER, ['GET http://b.example/ HTTP/1.1', HOST]],
    ['port-differs', SERVER, ['GET / HTTP/1.1', `${HOST}:81`]],
    ['port-differs', SERVER, ['GET http://a.example:81/ HTTP/1.1', `${HOST}:81`]],
    ['port-differs', { kind: 'server', port: 8080 }, ['GET http://a.example/ HTTP/1.1', HOST]],
    ['authority-port', SERVER, ['GET / HTTP/1.1', `${HOST}:`]],
    ['authority-port', SERVER, ['GET / HTTP/1.1', `${HOST}:080`]],
    ['authority-port', SERVER, ['GET / HTTP/1.1', `${HOST}:99999`]],
    ['authority-port', SERVER, ['GET / HTTP/1.1', 'Host: [::1]80']],
    ['authority-address', SERVER, ['GET / HTTP/1.1', 'Host: [a.example]']],
    ['authority-address', SERVER, ['GET / HTTP/1.1', 'Host: [::1']],
    ['name-byte', SERVER, ['GET / HTTP/1.1', `${HOST}:80:80`]],
    ['name-empty', SERVER, ['GET / HTTP/1.1', 'Host:']],
    ['name-empty', SERVER, ['GET / HTTP/1.1', 'Host: :80']],
    ['name-byte', SERVER, ['GET / HTTP/1.1', 'Host: u@a.example']],
    ['name-byte', SERVER, ['GET / HTTP/1.1', 'Host: a.example b.example']],
    ['label-empty', SERVER, ['GET / HTTP/1.1', 'Host: a.example.']],
    ['name-numeric', SERVER, ['GET / HTTP/1.1', 'Host: 127.1']],
    ['content-length', SERVER, ['POST / HTTP/1.1', HOST, 'Content-Length: 5', 'Content-Length: 5']],
    ['content-length', SERVER, ['POST / HTTP/1.1', HOST, 'Content-Length: 5, 5']],
    ['content-length', SERVER, ['POST / HTTP/1.1', HOST, 'Content-Length: +5']],
    ['content-length', SERVER, ['POST / HTTP/1.1', HOST, 'Content-Length:']],
    ['content-length', SERVER, ['POST / HTTP/1.1', HOST, 'Content-Length: 9007199254740993']],
    [
      'framing-conflict',
      SERVER,
      ['POST / HTTP/1.1', HOST, 'Content-Length: 5', 'Transfer-Encoding: chunked'],
    ],
    ['transfer-encoding', SERVER, ['POST / HTTP/1.1', HOST, 'Transfer-Encoding: gzip, chunked']],
    ['transfer-encoding', SERVER, ['POST / HTTP/1.1', HOST, 'Transfer-Encoding: identity']],
    [
      'transfer-encoding',
      SERVER,
      ['POST / HTTP/1.1', HOST, 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
    ],
    ['transfer-encoding', SERVER, ['POST / HTTP/1.0', HOST, 'Transfer-Encoding: chunked']],
    [
      'upgrade-body',
      SERVER,
      ['POST / HTTP/1.1', HOST, 'Connection: upgrade', 'Upgrade: x', 'Content-Length: 1'],
    ],
    ['upgrade-body', SERVER, ['GET / HTTP/1.0', HOST, 'Connection: upgrade', 'Upgrade: x']],
  ])('as %s: %o %o', (reason, role, [requestLine = '', ...lines]) => {
    const result = judge(role, requestLine, ...lines);
    expect(result).toEqual({ kind: 'malformed', reason });
  });

  it('a control character in any line', () => {
    for (const value of ['\x0bchunked', 'a\0b', 'a\rb', 'a\nb', 'a\x7f']) {
      const headers: [string, string][] = [
        ['Host', 'a.example'],
        ['X', value],
      ];
      const result = judgeRequest({ method: 'GET', target: '/', version: '1.1', headers }, SERVER);
      expect(result).toEqual({ kind: 'malformed', reason: 'field-byte' });
    }
  });
});

describe('judgeRequest on anything', () => {
  const odd = fc.string({
    unit: fc.constantFrom(...'ab.:/@[]?#* \t-_0189,'.split(''), 'http://', 'é', 'K', '\0'),
  });
  const value = fc.oneof(
    odd,
    fc.constantFrom('a.example', 'a.example:80', 'chunked', '5', 'h2c', 'Upgrade', '[::1]:80'),
  );
  const name = fc.constantFrom(
    'Host',
    'host',
    'Content-Length',
    'Transfer-Encoding',
    'Connection',
    'Upgrade',
    'X',
  );

  it('says a host in the grammar, which the Host line repeats, or a known fault', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('GET', 'OPTIONS', 'CONNECT', 'PRI'),
        fc.oneof(
          odd,
          odd.map(text => `/${text}`),
          odd.map(text => `http://${text}`),
        ),
        fc.constantFrom('1.0', '1.1', '2.0'),
        fc.array(fc.tuple(name, value), { maxLength: 5 }),
        fc.constantFrom(SERVER, PROXY),
        (method, target, version, headers, role) => {
          const result = judgeRequest({ method, target, version, headers }, role);
          if (result.kind === 'malformed') {
            expect(HTTP_REQUEST_FAULTS).toHaveProperty(result.reason);
            return;
          }
          if (result.target.kind === 'name') {
            expect(hostnameFault(result.target.hostname)).toBeNull();
            expect(result.authority.toLowerCase()).toContain(result.target.hostname.toLowerCase());
          }
          expect(headers.filter(([field]) => field.toLowerCase() === 'host').length).toBeLessThanOrEqual(1);
          expect(result.path).toMatch(/^[/*]/);
          expect(result.target.port).toBe(role.kind === 'server' ? 80 : result.target.port);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
