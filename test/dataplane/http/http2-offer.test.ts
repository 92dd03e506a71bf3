import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Peer } from '../../support/peer.ts';
import { Scope } from '../../support/scope.ts';
import { Upstream } from '../../support/upstream.ts';
import { HttpRig } from './rig.ts';

const OFFER = 'Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\nUpgrade: h2c\r\n';
const get = (offer: string, host = 'allowed.example') => `GET / HTTP/1.1\r\n${offer}Host: ${host}\r\n\r\n`;
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('an offer to change to HTTP/2', () => {
  let scope: Scope;
  let upstream: Upstream;
  let rig: HttpRig;
  let client: Peer;

  beforeEach(async () => {
    scope = new Scope();
    upstream = await Upstream.listen();
    scope.defer(() => upstream.close());
    rig = await HttpRig.listen({ servers: { '*': upstream.port } });
    scope.defer(() => rig.close());
    client = await rig.dial();
    scope.defer(() => client.socket.destroy());
  });
  afterEach(() => scope.close());

  it.each<[string, string, string]>([
    ['a request', get(OFFER), get('')],
    [
      'a request with a length',
      `POST /a HTTP/1.1\r\n${OFFER}Host: allowed.example\r\nContent-Length: 4\r\n\r\nbody`,
      'POST /a HTTP/1.1\r\nHost: allowed.example\r\nContent-Length: 4\r\n\r\nbody',
    ],
    [
      'a request in chunks',
      `PUT /a HTTP/1.1\r\n${OFFER}Host: allowed.example\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n`,
      'PUT /a HTTP/1.1\r\nHost: allowed.example\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n',
    ],
    ['a request of HTTP/1.0', get(OFFER).replace('1.1', '1.0'), get('')],
    ['bytes above ASCII', get(`X: \xe9\r\n${OFFER}`), get('X: \xe9\r\n')],
  ])('is taken out of %s', async (_, sent, expected) => {
    await client.send(Buffer.from(sent, 'latin1'));
    const server = await upstream.peer();
    await server.atLeast(expected.length);
    await server.send(OK);
    await client.atLeast(OK.length);
    expect(server.text).toBe(expected);
    expect(client.text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(rig.decided).toMatchObject([{ hostname: 'allowed.example', action: 'allow', reason: null }]);
  });

  it('is taken out of every request of a connection, also of those that came together', async () => {
    const requests = [get(OFFER), get(''), get(OFFER), get(OFFER)];
    await client.send(requests.slice(0, 3).join(''));
    const server = await upstream.peer();
    for (let i = 1; i <= 4; i++) {
      await server.atLeast(i * get('').length);
      await server.send(OK);
      await client.atLeast(i * OK.length);
      if (i === 3) await client.send(requests[3] ?? '');
    }
    expect(server.text).toBe(get('').repeat(4));
    expect(client.text).toBe(OK.repeat(4));
    client.finish();
    expect(await client.end()).toBe('fin');
  });

  it('leaves nothing behind on a connection that goes on', async () => {
    const warnings: Error[] = [];
    const warned = (warning: Error) => warnings.push(warning);
    process.on('warning', warned);
    scope.defer(() => process.off('warning', warned));
    for (let i = 1; i <= 30; i++) {
      await client.send(get(OFFER));
      const server = await upstream.peer();
      await server.atLeast(i * get('').length);
      await server.send(OK);
      await client.atLeast(i * OK.length);
    }
    expect(warnings).toEqual([]);
  });

  it('is taken out of a body that comes in pieces while another answer is awaited', async () => {
    await client.send(get(''));
    const server = await upstream.peer();
    await server.atLeast(get('').length);
    const post = `POST / HTTP/1.1\r\n${OFFER}Host: allowed.example\r\nContent-Length: 200000\r\n\r\n`;
    await client.send(post + 'a'.repeat(1_000));
    const rest = client.send('b'.repeat(199_000));
    await server.send(OK);
    const plain = post.replace(OFFER, '');
    await server.atLeast(get('').length + plain.length + 200_000);
    await rest;
    await server.send(OK);
    await client.atLeast(2 * OK.length);
    expect(server.text).toBe(`${get('')}${plain}${'a'.repeat(1_000)}${'b'.repeat(199_000)}`);
  });

  it('does not take another offer with it', async () => {
    await client.send(get('Connection: Upgrade, HTTP2-Settings\r\nUpgrade: websocket, h2c\r\n'));
    const server = await upstream.peer();
    const expected = get('Connection: Upgrade\r\nUpgrade: websocket\r\n');
    await server.atLeast(expected.length);
    expect(server.text).toBe(expected);
    const agreed = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n';
    await server.send(`${agreed}hello`);
    expect((await client.atLeast(agreed.length + 5)).toString()).toBe(`${agreed}hello`);
  });

  it('opens no other host', async () => {
    await client.send(get(OFFER) + get(OFFER, 'evil.example') + get(''));
    const server = await upstream.peer();
    await server.atLeast(get('').length);
    await server.send(OK);
    await client.end();
    expect(client.text).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*HTTP\/1\.1 403 Forbidden/);
    expect(server.text).toBe(get(''));
    expect(upstream.peers).toHaveLength(1);
    expect(rig.decided.map(({ action }) => action)).toEqual(['allow', 'deny']);
  });

  it('may be the last that a client says', async () => {
    await client.send(get(OFFER));
    client.finish();
    const server = await upstream.peer();
    await server.atLeast(get('').length);
    await server.send(OK);
    expect(await client.end()).toBe('fin');
    expect(client.text).toContain('200 OK');
    expect(rig.flows.openFlows).toBe(0);
  });

  it('an answer of HTTP/2 to it is none', async () => {
    await client.send(get(OFFER));
    const server = await upstream.peer();
    await server.atLeast(get('').length);
    await server.send(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n\0\0\0\x04',
    );
    await client.end();
    expect(client.text).toMatch(/^HTTP\/1\.1 502 /);
  });
});
