import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Scope } from '../../support/scope.ts';
import { freePort } from '../../support/upstream.ts';
import { type HttpRigOptions, startRig } from './rig.ts';
import { Site } from './site.ts';

const request = (host: string, ...lines: string[]) =>
  ['GET / HTTP/1.1', `Host: ${host}`, ...lines, '', ''].join('\r\n');

describe('a refusal', () => {
  let scope: Scope;
  let site: Site;

  beforeEach(async () => {
    scope = new Scope();
    site = await Site.listen();
    scope.defer(() => site.close());
  });
  afterEach(() => scope.close());

  const rigWith = (options: HttpRigOptions = {}) =>
    startRig(scope, { servers: { '*': site.port }, ...options });

  it('names the host, the reason and the gateway', async () => {
    const rig = await rigWith();
    const answer = await rig.ask(request('evil.example'));
    expect(answer).toBe(
      [
        'HTTP/1.1 403 Forbidden',
        'Proxy-Status: gw-1; error=http_request_denied; details="not_allowed"',
        'Content-Type: text/plain; charset=utf-8',
        'Content-Length: 96',
        'Connection: close',
        '',
        'gw-1 refused evil.example:80: not_allowed (no allow rule matches the hostname, port and source)\n',
      ].join('\r\n'),
    );
    expect(rig.decisions).toEqual(['deny NO_MATCH not_allowed -; evil.example 198.51.100.200:80']);
    expect(rig.closed).toMatchObject([{ end: 'refused', bytesOut: 0, bytesIn: 0, protocol: 'http' }]);
    expect(rig.over).toBe(1);
  });

  it('is JSON for who asks for it', async () => {
    const rig = await rigWith();
    const answer = await rig.ask(
      request('evil.example', 'Accept: text/html, application/problem+json;q=0.5'),
    );
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    expect(head).toContain('Content-Type: application/json');
    expect(JSON.parse(body)).toMatchObject({
      gateway: 'gw-1',
      subject: 'evil.example:80',
      reason: 'not_allowed',
    });
  });

  it('to HEAD has no body', async () => {
    const rig = await rigWith();
    const answer = await rig.ask(request('evil.example').replace('GET', 'HEAD'));
    expect(answer).toMatch(/^HTTP\/1\.1 403 [\s\S]*\r\n\r\n$/);
  });

  it('is a reset or nothing where the configuration says so', async () => {
    const reset = await rigWith({ settings: { onDeny: 'reset' } });
    const peer = await reset.dial();
    await peer.send(request('evil.example'));
    expect(await peer.end()).toBe('reset');
    const drop = await rigWith({ settings: { onDeny: 'drop' } });
    expect(await drop.ask(request('evil.example'))).toBe('');
    expect([...reset.closed, ...drop.closed]).toMatchObject([{ end: 'refused' }, { end: 'refused' }]);
  });

  it.each([
    [
      'an address instead of a name',
      request('192.0.2.1'),
      403,
      'deny NO_MATCH no_hostname -; - 198.51.100.200:80',
    ],
    [
      'a name without address',
      request('gone.example'),
      502,
      'deny MATCHED unresolvable site; gone.example 198.51.100.200:80',
    ],
    [
      'a forbidden address',
      request('meta.example'),
      403,
      'deny DENIED destination_forbidden meta; meta.example 198.51.100.200:80',
    ],
    [
      'a private address',
      request('private.example'),
      403,
      'deny DENIED destination_forbidden meta; private.example 198.51.100.200:80',
    ],
    [
      'two Host lines',
      request('allowed.example', 'Host: allowed.example'),
      400,
      'deny NO_MATCH malformed_request -; - 198.51.100.200:80 (host-duplicate)',
    ],
    [
      'CONNECT',
      'CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n',
      400,
      'deny NO_MATCH malformed_request -; - 198.51.100.200:80 (connect)',
    ],
    [
      'the preface of HTTP/2',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      400,
      'deny NO_MATCH malformed_request -; - 198.51.100.200:80 (http2-preface)',
    ],
    [
      'an unknown method',
      request('allowed.example').replace('GET', 'BREW'),
      400,
      'deny NO_MATCH malformed_request -; - 198.51.100.200:80 (method)',
    ],
    [
      'no HTTP',
      'HELO there\r\n',
      400,
      'deny NO_MATCH malformed_request -; - 198.51.100.200:80 (request-line)',
    ],
    [
      '100 header lines',
      request('allowed.example', ...Array.from({ length: 99 }, (_, i) => `X-${i}: 1`)),
      431,
      'deny NO_MATCH hello_too_large -; - 198.51.100.200:80',
    ],
    [
      '16 KiB of a head',
      request('allowed.example', `X: ${'a'.repeat(16_384)}`),
      431,
      'deny NO_MATCH hello_too_large -; - 198.51.100.200:80',
    ],
  ])('answers %s, and nothing is dialled', async (_what, bytes, status, decision) => {
    const rig = await rigWith();
    expect(await rig.ask(bytes)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(rig.decisions).toEqual([decision]);
    expect(rig.dialed).toEqual([]);
    expect(rig.closed).toMatchObject([{ end: 'refused' }]);
  });

  it('of a later request on the connection leaves the answers before it whole', async () => {
    const rig = await rigWith();
    const answer = await rig.ask(
      request('allowed.example') + request('evil.example') + request('allowed.example'),
    );
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 403']);
    expect(site.hosts).toEqual(['allowed.example']);
    expect(rig.closed).toMatchObject([
      { hostname: 'evil.example', end: 'refused' },
      { hostname: 'allowed.example', end: 'server_fin' },
    ]);
  });

  it.each([
    ['rubbish', 'rubbish\r\n\r\n', 'malformed_request'],
    ['a CONNECT', 'CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n', 'malformed_request'],
    [
      'too many lines',
      request('allowed.example', ...Array.from({ length: 99 }, (_, i) => `X-${i}: 1`)),
      'hello_too_large',
    ],
    ['too large a head', request('allowed.example', `X: ${'a'.repeat(17_000)}`), 'hello_too_large'],
    ['an unknown version', request('allowed.example').replace('1.1', '2.0'), 'malformed_request'],
  ])('of %s behind a good request leaves its answer whole', async (_what, bytes, reason) => {
    const rig = await rigWith();
    const answer = await rig.ask(request('allowed.example') + bytes);
    expect(answer.match(/HTTP\/1\.1 \d/g)).toEqual(['HTTP/1.1 2', 'HTTP/1.1 4']);
    expect(site.hosts).toEqual(['allowed.example']);
    expect(rig.decided).toMatchObject([{ action: 'allow' }, { action: 'deny', reason }]);
  });

  it('of a client without an original destination comes at once', async () => {
    const rig = await rigWith({ going: null });
    expect(await rig.ask(request('allowed.example'))).toMatch(/^HTTP\/1\.1 403 /);
    expect(rig.decided).toMatchObject([{ action: 'deny', state: 'DENIED', reason: 'destination_forbidden' }]);
  });

  describe('on an explicit listener', () => {
    it.each([
      ['a path', request('allowed.example'), 400, '(target-form)'],
      [
        'an https URL',
        request('allowed.example').replace('/', 'https://allowed.example/'),
        400,
        '(target-scheme)',
      ],
      [
        'another Host line',
        request('allowed.example').replace('/', 'http://evil.example/'),
        400,
        '(host-differs)',
      ],
      [
        'another port',
        request('allowed.example:81').replace('/', 'http://allowed.example:81/'),
        403,
        'allowed.example -:81',
      ],
      [
        'the metadata service',
        request('169.254.169.254').replace('/', 'http://169.254.169.254/'),
        403,
        '- 169.254.169.254:80',
      ],
    ])('answers %s', async (_what, bytes, status, decision) => {
      const rig = await rigWith({ listener: 'explicit' });
      expect(await rig.ask(bytes)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect(rig.decisions).toEqual([expect.stringContaining(decision)]);
      expect(rig.dialed).toEqual([]);
    });
  });

  describe('by the network', () => {
    it('of the connection is a 502', async () => {
      const rig = await rigWith({ servers: { '*': await freePort() } });
      expect(await rig.ask(request('allowed.example'))).toMatch(/^HTTP\/1\.1 502 [\s\S]*dial_refused/);
      expect(rig.decided).toMatchObject([{ action: 'allow' }]);
      expect(rig.closed).toMatchObject([{ end: 'dial_failed', dialFailure: 'refused' }]);
    });

    it('by silence is a 504', async () => {
      const rig = await rigWith({ settings: { dialTimeoutMs: 50 }, connect: () => ({ abort: () => {} }) });
      expect(await rig.ask(request('allowed.example'))).toMatch(/^HTTP\/1\.1 504 [\s\S]*dial_timeout/);
      expect(rig.closed).toMatchObject([{ end: 'dial_failed', dialFailure: 'timeout' }]);
    });

    it('by a server that never answers is a 504', async () => {
      const silent = await Site.listen(() => {});
      scope.defer(() => silent.close());
      const rig = await rigWith({ servers: { '*': silent.port }, settings: { idleTimeoutMs: 100 } });
      expect(await rig.ask(request('allowed.example'))).toMatch(/^HTTP\/1\.1 504 [\s\S]*idle_timeout/);
      expect(rig.closed).toMatchObject([{ end: 'idle_timeout' }]);
    });
  });
});
