import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Scope } from '../../support/scope.ts';
import { Upstream } from '../../support/upstream.ts';
import { HttpRig } from './rig.ts';

const GET = 'GET / HTTP/1.1\r\nHost: allowed.example\r\n\r\n';

describe('a response', () => {
  let scope: Scope;
  let rig: HttpRig;
  /** What the upstream says to a connection once it has heard a head; `fin`: and then ends it. */
  let answer: { text: string; fin: boolean };

  beforeEach(async () => {
    scope = new Scope();
    const upstream = await Upstream.listen(peer => {
      const { text, fin } = answer;
      peer.atLeast(30).then(
        () => peer.send(Buffer.from(text, 'latin1')).then(() => fin && peer.finish()),
        () => {},
      );
    });
    scope.defer(() => upstream.close());
    rig = await HttpRig.listen({ servers: { '*': upstream.port } });
    scope.defer(() => rig.close());
  });
  afterEach(() => scope.close());

  /** What a client has of the answer after `length` bytes or, without a length, when the connection ends. */
  async function received(request: string, text: string, options: { fin?: boolean; length?: number } = {}) {
    answer = { text, fin: options.fin ?? false };
    const client = await rig.dial();
    scope.defer(() => client.socket.destroy());
    await client.send(request);
    if (options.length === undefined) await client.end();
    else await client.atLeast(options.length);
    return client.text;
  }

  it.each([
    ['with a length', GET, 'HTTP/1.1 200 Fine\r\nServer: x\r\ncontent-length: 2\r\nX: 1\r\nX: 2\r\n\r\nok'],
    ['in chunks', GET, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
    [
      'with trailers',
      GET,
      'HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n',
    ],
    [
      'with cookies',
      GET,
      'HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX: y\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n',
    ],
    ['with an odd status', GET, 'HTTP/1.1 799 \r\nContent-Length: 0\r\n\r\n'],
    ['with bytes above ASCII', GET, 'HTTP/1.1 200 \xe9\r\nX: \xff\r\nContent-Length: 1\r\n\r\n\xe9'],
    ['of 204', GET, 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['of 304 with the length it would have', GET, 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n'],
    [
      'to HEAD with the length it would have',
      GET.replace('GET', 'HEAD'),
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n',
    ],
    [
      'to HEAD in chunks',
      GET.replace('GET', 'HEAD'),
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
    ],
    [
      'behind informational ones',
      GET,
      'HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    ],
    [
      'that asks for an upgrade',
      GET,
      'HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n',
    ],
  ])('reaches the client byte for byte: %s', async (_what, request, text) => {
    expect(await received(request, text, { length: text.length })).toBe(text);
    expect(rig.closed).toEqual([]);
  });

  it.each([
    [
      'without what belongs to the connection',
      GET,
      'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nConnection: X-Hop\r\nX-Hop: 1\r\nProxy-Connection: close\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    ],
    [
      'of an older server, in our version',
      GET,
      'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    ],
    [
      'without an old-fashioned identity coding',
      GET,
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nok',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    ],
    [
      'that ends with the connection, in chunks',
      GET,
      'HTTP/1.1 200 OK\r\nX: 1\r\n\r\nok',
      'HTTP/1.1 200 OK\r\nX: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    ],
  ])('is rewritten: %s', async (_what, request, text, expected) => {
    expect(await received(request, text, { fin: true, length: expected.length })).toBe(expected);
  });

  it.each([
    [
      'ends the connection',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
      'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok',
    ],
    [
      'says that the connection ends',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok',
    ],
    [
      'comes without informational ones',
      'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
    ],
  ])('to a client of HTTP/1.0 %s', async (_what, text, expected) => {
    expect(await received('GET / HTTP/1.0\r\nHost: allowed.example\r\n\r\n', text)).toBe(expected);
  });

  it('to a client of HTTP/1.0 that keeps the connection says so', async () => {
    const request = 'GET / HTTP/1.0\r\nHost: allowed.example\r\nConnection: keep-alive\r\n\r\n';
    const expected = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok';
    const text = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
    expect(await received(request, text, { length: expected.length })).toBe(expected);
  });

  it('to a client that closes says that it closes', async () => {
    const request = GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');
    expect(await received(request, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')).toBe(
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok',
    );
    expect(rig.closed).toMatchObject([{ end: 'server_fin' }]);
  });

  it('to a client that has finished sending reaches it whole', async () => {
    answer = { text: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', fin: false };
    const client = await rig.dial();
    await client.send(GET);
    client.finish();
    expect(await client.end()).toBe('fin');
    expect(client.text).toContain('\r\n\r\nok');
  });

  it.each([
    ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!'],
    [
      'a length and chunks',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a bare carriage return', 'HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 0\r\n\r\n'],
    ['a zero byte', 'HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n'],
    ['a space before the colon', 'HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n'],
    ['a folded line', 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n'],
    ['an unknown transfer coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    ['a head beyond all bounds', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(70_000)}\r\n\r\n`],
    [
      'an upgrade that nobody asked for',
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
    ],
    ['101 without an upgrade', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    ['informational ones without end', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(20)],
  ])('that breaks the rules becomes a 502: %s', async (_what, text) => {
    const got = await received(GET, text);
    expect(got).toMatch(/^(HTTP\/1\.1 103 Early Hints\r\n\r\n)*HTTP\/1\.1 502 Bad Gateway\r\n/);
    expect(got).toContain('malformed_response');
    expect(rig.closed).toMatchObject([{ end: 'server_reset' }]);
  });

  it('that is none becomes a 502', async () => {
    expect(await received(GET, '', { fin: true })).toMatch(/^HTTP\/1\.1 502 [\s\S]*upstream_closed/);
  });

  it.each([
    ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok'],
    ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nok'],
    ['broken chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nx\r\n'],
  ])('that breaks off is cut, so that the client knows: %s', async (_what, text) => {
    answer = { text, fin: true };
    const client = await rig.dial();
    await client.send(GET);
    expect(await client.end()).toBe('reset');
    expect(rig.closed).toMatchObject([{ end: 'server_reset' }]);
  });
});
