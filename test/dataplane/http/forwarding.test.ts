import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Scope } from '../../support/scope.ts';
import { Upstream } from '../../support/upstream.ts';
import { HttpRig } from './rig.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('a request goes upstream', () => {
  let scope: Scope;
  let upstream: Upstream;

  beforeEach(async () => {
    scope = new Scope();
    upstream = await Upstream.listen();
    scope.defer(() => upstream.close());
  });
  afterEach(() => scope.close());

  async function rigFor(listener: 'transparent' | 'explicit' = 'transparent'): Promise<HttpRig> {
    const rig = await HttpRig.listen({ listener, servers: { '*': upstream.port } });
    scope.defer(() => rig.close());
    return rig;
  }

  /** What the upstream gets when a client sends this and waits. */
  async function sentUpstream(bytes: string, listener?: 'transparent' | 'explicit', until = '\r\n\r\n') {
    const rig = await rigFor(listener);
    const client = await rig.dial();
    await client.send(Buffer.from(bytes, 'latin1'));
    const server = await upstream.peer();
    while (!server.text.includes(until)) await server.atLeast(server.received + 1);
    await server.send(OK);
    await client.atLeast(OK.length - 40);
    const { text } = server;
    client.socket.destroy();
    return text;
  }

  it.each([
    ['a plain one', 'GET /a?b=c HTTP/1.1\r\nHost: allowed.example\r\n\r\n'],
    [
      'header lines in order and letter case',
      'GET / HTTP/1.1\r\nuser-agent: x\r\nHOST: Allowed.Example\r\nX-b: 1\r\nACCEPT: */*\r\n\r\n',
    ],
    ['a Host line with the port', 'GET / HTTP/1.1\r\nHost: allowed.example:80\r\n\r\n'],
    ['repeated lines', 'GET / HTTP/1.1\r\nHost: allowed.example\r\nX: 1\r\nX: 2\r\n\r\n'],
    ['keep-alive said aloud', 'GET / HTTP/1.1\r\nHost: allowed.example\r\nConnection: Keep-Alive\r\n\r\n'],
    ['a close', 'GET / HTTP/1.1\r\nHost: allowed.example\r\nConnection: close\r\n\r\n'],
    ['a POST without a body', 'POST / HTTP/1.1\r\nHost: allowed.example\r\n\r\n'],
    ['a POST with an empty body', 'POST / HTTP/1.1\r\nHost: allowed.example\r\nContent-Length: 0\r\n\r\n'],
    ['a body of a length', 'PUT / HTTP/1.1\r\nHost: allowed.example\r\nContent-Length: 3\r\n\r\nabc'],
    ['a GET with a body', 'GET / HTTP/1.1\r\nHost: allowed.example\r\nContent-Length: 3\r\n\r\nabc'],
    ['OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: allowed.example\r\n\r\n'],
    ['a path of slashes', 'GET //evil.example/ HTTP/1.1\r\nHost: allowed.example\r\n\r\n'],
    ['bytes above ASCII in a value', 'GET / HTTP/1.1\r\nHost: allowed.example\r\nX: \xe9\xff\r\n\r\n'],
    ['names of objects', 'GET / HTTP/1.1\r\nHost: allowed.example\r\n__proto__: 1\r\nconstructor: 2\r\n\r\n'],
    ['an expectation', 'GET / HTTP/1.1\r\nHost: allowed.example\r\nExpect: 100-continue\r\n\r\n'],
    [
      'chunks and trailers',
      'POST / HTTP/1.1\r\nHost: allowed.example\r\nTE: trailers\r\nConnection: TE\r\nTrailer: X-Sum\r\n' +
        'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n',
    ],
  ])('byte for byte: %s', async (_what, bytes) => {
    expect(await sentUpstream(bytes, 'transparent', bytes.slice(-8))).toBe(bytes);
  });

  it.each([
    [
      'white space around values',
      'GET / HTTP/1.1\r\nHost:\tallowed.example \t\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: allowed.example\r\n\r\n',
    ],
    [
      'what belongs to the connection alone',
      'GET / HTTP/1.1\r\nHost: allowed.example\r\nConnection: close, X-Hop, keep-alive\r\nKeep-Alive: timeout=5\r\n' +
        'X-Hop: 1\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\nUpgrade: websocket\r\nX-End: 2\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: allowed.example\r\nConnection: close, keep-alive\r\nX-End: 2\r\n\r\n',
    ],
    [
      'names that a Connection line has no say over stay',
      'POST / HTTP/1.1\r\nConnection: Host, Content-Length, close\r\nHost: allowed.example\r\nContent-Length: 3\r\n\r\nabc',
      'POST / HTTP/1.1\r\nConnection: close\r\nHost: allowed.example\r\nContent-Length: 3\r\n\r\nabc',
    ],
    [
      'HTTP/1.0 as our own version',
      'GET / HTTP/1.0\r\nHost: allowed.example\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: allowed.example\r\n\r\n',
    ],
    [
      'chunk extensions are dropped',
      'POST / HTTP/1.1\r\nHost: allowed.example\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n',
      'POST / HTTP/1.1\r\nHost: allowed.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
    ],
    [
      'trailers that would reframe or reroute are dropped',
      'POST / HTTP/1.1\r\nHost: allowed.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n' +
        'Host: evil.example\r\nAuthorization: x\r\nX-Fine: 1\r\n\r\n',
      'POST / HTTP/1.1\r\nHost: allowed.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Fine: 1\r\n\r\n',
    ],
  ])('rewritten: %s', async (_what, bytes, expected) => {
    expect(await sentUpstream(bytes, 'transparent', expected.slice(-8))).toBe(expected);
  });

  it.each([
    [
      'an absolute target as a path',
      'GET http://allowed.example/a?b HTTP/1.1\r\nHost: allowed.example\r\n\r\n',
      'GET /a?b HTTP/1.1\r\nHost: allowed.example\r\n\r\n',
    ],
    [
      'without what was for the proxy',
      'GET http://allowed.example/ HTTP/1.1\r\nHost: allowed.example\r\nProxy-Connection: keep-alive\r\n' +
        'Proxy-Authorization: Basic eDp5\r\nAuthorization: Basic eDp5\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: allowed.example\r\nAuthorization: Basic eDp5\r\n\r\n',
    ],
    [
      'with a Host line where HTTP/1.0 has none',
      'GET http://allowed.example/ HTTP/1.0\r\nX: 1\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: allowed.example\r\nX: 1\r\n\r\n',
    ],
  ])('from an explicit listener %s', async (_what, bytes, expected) => {
    expect(await sentUpstream(bytes, 'explicit')).toBe(expected);
  });

  it('while the client is still sending the body', async () => {
    const rig = await rigFor();
    const client = await rig.dial();
    const head = 'POST / HTTP/1.1\r\nHost: allowed.example\r\nContent-Length: 6\r\n\r\n';
    await client.send(`${head}abc`);
    const server = await upstream.peer();
    await server.atLeast(head.length + 3);
    await client.send('def');
    expect((await server.atLeast(head.length + 6)).toString()).toBe(`${head}abcdef`);
    client.socket.destroy();
  });

  it('and is answered while the body is on its way', async () => {
    const rig = await rigFor();
    const client = await rig.dial();
    const head = 'POST / HTTP/1.1\r\nHost: allowed.example\r\nContent-Length: 6\r\n\r\n';
    await client.send(`${head}abc`);
    const server = await upstream.peer();
    await server.atLeast(head.length + 3);
    await server.send(OK);
    expect((await client.atLeast(OK.length)).toString()).toBe(OK);
    await client.send('def');
    expect((await server.atLeast(head.length + 6)).toString()).toBe(`${head}abcdef`);
    await client.send('GET /next HTTP/1.1\r\nHost: allowed.example\r\n\r\n');
    await server.atLeast(head.length + 6 + 45);
    await server.send(OK);
    expect((await client.atLeast(2 * OK.length)).toString()).toBe(OK + OK);
    client.socket.destroy();
  });

  it('and is answered by a server that reads no further', async () => {
    const rig = await rigFor();
    const client = await rig.dial();
    await client.send('POST / HTTP/1.1\r\nHost: allowed.example\r\nContent-Length: 1000000\r\n\r\nabc');
    const server = await upstream.peer();
    await server.atLeast(60);
    const answer = 'HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 4\r\n\r\nno!\n';
    await server.send(answer);
    server.finish();
    await client.end();
    expect(client.text).toBe(answer);
  });

  it('and its bytes are counted', async () => {
    const rig = await rigFor();
    const client = await rig.dial();
    const request = 'GET / HTTP/1.1\r\nHost: allowed.example\r\n\r\n';
    await client.send(request);
    const server = await upstream.peer();
    await server.atLeast(request.length);
    await server.send(OK);
    await client.atLeast(OK.length);
    client.finish();
    await client.end();
    expect(rig.closed).toMatchObject([
      { hostname: 'allowed.example', end: 'client_fin', bytesOut: request.length, bytesIn: OK.length },
    ]);
    expect(rig.moved).toEqual({ out: request.length, in: OK.length });
  });
});
