import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Peer } from '../../support/peer.ts';
import { Scope } from '../../support/scope.ts';
import { Upstream } from '../../support/upstream.ts';
import { HttpRig } from './rig.ts';

const ASK =
  'GET /chat HTTP/1.1\r\nHost: allowed.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n';
const AGREED =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n';

describe('an upgrade', () => {
  let scope: Scope;
  let upstream: Upstream;
  let rig: HttpRig;

  beforeEach(async () => {
    scope = new Scope();
    upstream = await Upstream.listen();
    scope.defer(() => upstream.close());
    rig = await HttpRig.listen({ servers: { '*': upstream.port } });
    scope.defer(() => rig.close());
  });
  afterEach(() => scope.close());

  async function asked(bytes = ASK, client?: Peer): Promise<{ client: Peer; server: Peer }> {
    const from = client ?? (await rig.dial());
    scope.defer(() => from.socket.destroy());
    await from.send(Buffer.from(bytes, 'latin1'));
    const server = await upstream.peer();
    await server.atLeast(ASK.length);
    return { client: from, server };
  }

  it('goes upstream as it is, and its answer back', async () => {
    const { client, server } = await asked();
    expect(server.text).toBe(ASK);
    await server.send(AGREED);
    expect((await client.atLeast(AGREED.length)).toString()).toBe(AGREED);
  });

  it('leads to a relay of raw bytes, half-closed one way and then the other', async () => {
    const { client, server } = await asked();
    await server.send(`${AGREED}first`);
    expect((await client.atLeast(AGREED.length + 5)).toString()).toBe(`${AGREED}first`);
    const raw = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await client.send(raw);
    expect((await server.atLeast(ASK.length + 256)).subarray(ASK.length).equals(raw)).toBe(true);
    client.finish();
    expect(await server.end()).toBe('fin');
    await server.send('last');
    expect((await client.atLeast(AGREED.length + 9)).toString()).toBe(`${AGREED}firstlast`);
    server.finish();
    expect(await client.end()).toBe('fin');
    expect(rig.closed).toMatchObject([
      {
        hostname: 'allowed.example',
        end: 'client_fin',
        bytesOut: ASK.length + 256,
        bytesIn: AGREED.length + 9,
      },
    ]);
    expect(rig.moved).toEqual({ out: ASK.length + 256, in: AGREED.length + 9 });
    expect(rig.flows.openFlows).toBe(0);
  });

  it('loses nothing that the client sends before it is agreed', async () => {
    const { client, server } = await asked(`${ASK}early`);
    await client.send('more');
    await server.send(AGREED);
    await client.atLeast(AGREED.length);
    await client.send('!');
    expect((await server.atLeast(ASK.length + 10)).toString()).toBe(`${ASK}earlymore!`);
  });

  it('never lets a request behind it be read as one', async () => {
    const smuggled = 'GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n';
    const { client, server } = await asked(ASK + smuggled);
    await server.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno');
    await client.end();
    expect(server.text).toBe(ASK);
    expect(upstream.peers).toHaveLength(1);
    expect(rig.decided).toMatchObject([{ hostname: 'allowed.example' }]);
  });

  it.each([
    [
      'with a length',
      'HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno',
      'Content-Length: 2\r\nConnection: close\r\n\r\nno',
    ],
    [
      'in chunks',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n',
      'Connection: close\r\n\r\nno',
    ],
  ])('that is not agreed to passes the answer on %s, and ends', async (_what, answer, expected) => {
    const { client, server } = await asked();
    await server.send(answer);
    expect(await client.end()).toBe('fin');
    expect(client.text).toMatch(/^HTTP\/1\.1 (403 No|200 OK)\r\n/);
    expect(client.text.endsWith(expected)).toBe(true);
  });

  it('waits for its turn behind a request', async () => {
    const first = 'GET / HTTP/1.1\r\nHost: allowed.example\r\n\r\n';
    const client = await rig.dial();
    scope.defer(() => client.socket.destroy());
    await client.send(first + ASK);
    const server = await upstream.peer();
    await server.atLeast(first.length);
    expect(server.text).toBe(first);
    const body = 'a'.repeat(500_000);
    const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    await server.send(answer);
    await server.atLeast(first.length + ASK.length);
    await server.send(AGREED);
    expect((await client.atLeast(answer.length + AGREED.length)).toString()).toBe(answer + AGREED);
  });

  it('to a host that is not allowed is refused', async () => {
    const answer = await rig.ask(ASK.replace('allowed.example', 'evil.example'));
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(rig.dialed).toEqual([]);
  });

  it('whose answer never comes is a 502', async () => {
    const { client, server } = await asked();
    server.reset();
    await client.end();
    expect(client.text).toMatch(/^HTTP\/1\.1 502 /);
  });

  it('is given up when the client leaves', async () => {
    const { client, server } = await asked();
    client.reset();
    await server.end();
    expect(rig.closed).toMatchObject([{ end: 'client_reset' }]);
  });
});
