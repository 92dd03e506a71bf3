import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type AdminTimeouts, startAdminServer } from '../../src/admin/admin-server.ts';
import { until } from '../support/until.ts';
import { ADMIN, FakeDaemon, RULE } from './support.ts';

async function start(timeouts?: AdminTimeouts) {
  const daemon = new FakeDaemon();
  const server = await startAdminServer(ADMIN, daemon, timeouts);
  onTestFinished(() => server.close());
  const { port } = server.address;
  return { daemon, port, host: `127.0.0.1:${port}` };
}

function open(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  return socket;
}

/** Sends bytes and reads until the server ends the connection. */
async function exchange(port: number, bytes: string): Promise<string> {
  const socket = open(port);
  let text = '';
  socket.on('data', chunk => {
    text += chunk;
  });
  socket.write(bytes);
  await closed(socket);
  return text;
}

/** Also by a reset. */
const closed = (socket: Socket) => new Promise<void>(resolve => socket.once('close', () => resolve()));

const statuses = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status);

describe('requests that two parsers read in two ways', () => {
  const smuggled = (host: string) => `POST /-/reload HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

  it.each<[string, (host: string) => string]>([
    [
      'a length and chunks',
      host =>
        `POST /-/reload HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled(host)}`,
    ],
    [
      'two lengths',
      host =>
        `POST /-/reload HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n${smuggled(host)}`,
    ],
    [
      'a length that is no number',
      host => `POST /-/reload HTTP/1.1\r\nHost: ${host}\r\nContent-Length: +0\r\n\r\n`,
    ],
    [
      'chunks that are not last',
      host =>
        `POST /-/reload HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
    ],
    ['a space before the colon', host => `POST /-/reload HTTP/1.1\r\nHost : ${host}\r\n\r\n`],
    ['a folded header', host => `POST /-/reload HTTP/1.1\r\nX: a\r\n b\r\nHost : ${host}\r\n\r\n`],
    ['lines that end in LF', host => `POST /-/reload HTTP/1.1\nHost: ${host}\n\n`],
    ['a NUL in a header', host => `POST /-/reload HTTP/1.1\r\nHost: ${host}\0\r\n\r\n`],
    ['no Host', () => 'POST /-/reload HTTP/1.1\r\n\r\n'],
    [
      'two Hosts',
      host => `POST /-/reload HTTP/1.1\r\nHost: ${host}\r\nHost: evil.example\r\nConnection: close\r\n\r\n`,
    ],
    [
      'another Host first',
      host => `POST /-/reload HTTP/1.1\r\nHost: evil.example\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    ],
    [
      'another host in the target',
      host => `POST http://evil.example/-/reload HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    ],
    ['HTTP/2 in the clear', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['HTTP/0.9', () => 'POST /-/reload\r\n\r\n'],
    ['no HTTP', () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'.padEnd(600, 'x')],
    ['a tunnel', host => `CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`],
  ])('%s: nothing is done', async (_, bytes) => {
    const { daemon, port, host } = await start();
    const answer = await exchange(port, bytes(host));
    expect(daemon.reloads).toEqual([]);
    for (const status of statuses(answer)) expect(['400', '403', '405']).toContain(status);
  });
});

describe('requests that are too large', () => {
  it.each<[string, (host: string) => string]>([
    ['a long target', host => `GET /${'a'.repeat(9_000)} HTTP/1.1\r\nHost: ${host}\r\n\r\n`],
    ['a long header', host => `GET /metrics HTTP/1.1\r\nHost: ${host}\r\nX: ${'a'.repeat(9_000)}\r\n\r\n`],
    ['many headers', host => `GET /metrics HTTP/1.1\r\nHost: ${host}\r\n${'X: a\r\n'.repeat(130)}\r\n`],
    [
      'very many headers',
      host => `GET /metrics HTTP/1.1\r\nHost: ${host}\r\n${'X: a\r\n'.repeat(2_000)}\r\n`,
    ],
  ])('%s is refused with 431', async (_, bytes) => {
    const { port, host } = await start();
    expect(statuses(await exchange(port, bytes(host)))).toEqual(['431']);
  });

  it('an origin is seen behind however many headers', async () => {
    const { daemon, port, host } = await start();
    const head = `POST /-/reload HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n`;
    const answer = await exchange(
      port,
      `${head}${'x:\r\n'.repeat(4_000)}Origin: http://evil.example\r\n\r\n`,
    );
    expect([statuses(answer), daemon.reloads]).toEqual([['431'], []]);
  });

  it.each<[string, string, number]>([
    ['POST', '/api/v1/allow', 64 * 1024 + 1],
    ['POST', '/-/reload', 64 * 1024 + 1],
    ['PUT', '/api/v1/policy', 64 * 1024 * 1024 + 1],
  ])('%s %s with a body of %i bytes is refused before it is sent', async (method, path, length) => {
    const { daemon, port, host } = await start();
    const head = `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nIf-Match: *\r\nContent-Length: ${length}\r\n\r\n`;
    const socket = open(port);
    socket.write(head);
    const [chunk] = await once(socket, 'data');
    expect(statuses(String(chunk))).toEqual(['413']);
    expect([daemon.reloads, daemon.changes.asked]).toEqual([[], []]);
  });

  it('of policies, two are received at a time', async () => {
    const { daemon, port, host } = await start();
    const head = (length: number) =>
      `PUT /api/v1/policy HTTP/1.1\r\nHost: ${host}\r\nIf-Match: *\r\nContent-Length: ${length}\r\n\r\n`;
    const slow = [open(port), open(port)];
    for (const socket of slow) socket.write(`${head(100)}version`);
    const refused = async () => {
      const socket = open(port);
      socket.write(head(0));
      const [chunk] = await once(socket, 'data');
      return String(chunk);
    };
    let answer = await refused();
    // The slow ones were not seen yet.
    while (statuses(answer)[0] === '200') answer = await refused();
    expect(statuses(answer)).toEqual(['503']);
    expect(answer).toMatch(/\r\nretry-after: 1\r\n/i);
    const asked = daemon.changes.asked.length;
    for (const socket of slow) socket.destroy();
    while (statuses(await refused())[0] !== '200');
    expect(daemon.changes.asked.length).toBe(asked + 1);
  });
});

describe('many requests', () => {
  it('of one peer are held to a rate; health is told all the same', async () => {
    const { port, host } = await start();
    const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    const last = `GET /-/healthy HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    const text = await exchange(port, request('/api/v1/status').repeat(900) + last);
    const answered = statuses(text);
    expect(answered.length).toBe(901);
    expect([answered[0], answered.at(-2), answered.at(-1)]).toEqual(['200', '429', '200']);
    expect(text).toMatch(/\r\nretry-after: \d+\r\n/i);
  });

  it('on many connections: no more than 256 are open', async () => {
    const { port, host } = await start();
    const sockets = Array.from({ length: 256 }, () => open(port));
    await Promise.all(sockets.map(socket => once(socket, 'connect')));
    expect(await exchange(port, `GET /-/healthy HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).toBe('');
    sockets[0]?.destroy();
    let answer = '';
    while (answer === '') {
      answer = await exchange(port, `GET /-/healthy HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    }
    expect(statuses(answer)).toEqual(['200']);
  });
});

describe('slow requests', () => {
  /** Long but for the one that is put to the test. */
  const timeouts = {
    headersTimeout: 60_000,
    requestTimeout: 60_000,
    keepAliveTimeout: 60_000,
    connectionsCheckingInterval: 20,
    idleTimeout: 60_000,
  };

  it.each<[string, Partial<AdminTimeouts>, (host: string) => string, RegExp]>([
    [
      'a head that does not end',
      { headersTimeout: 50 },
      host => `GET /metrics HTTP/1.1\r\nHost: ${host}\r\nX: `,
      /^HTTP\/1\.1 408 /,
    ],
    [
      'a body that does not end',
      { requestTimeout: 50, headersTimeout: 40 },
      host => `PUT /api/v1/policy HTTP/1.1\r\nHost: ${host}\r\nIf-Match: *\r\nContent-Length: 9\r\n\r\nversi`,
      /^HTTP\/1\.1 408 /,
    ],
    [
      'a connection that is kept for nothing',
      { keepAliveTimeout: 50 },
      host => `GET /-/healthy HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
      /^HTTP\/1\.1 200 /,
    ],
    ['a connection that says nothing', { idleTimeout: 50 }, () => '', /^$/],
  ])('%s is ended', async (_, short, bytes, answer) => {
    const { daemon, port, host } = await start({ ...timeouts, ...short });
    expect(await exchange(port, bytes(host))).toMatch(answer);
    expect(daemon.changes.asked).toEqual([]);
  });

  it('an answer that nobody reads is ended', async () => {
    const { daemon, port, host } = await start({ ...timeouts, idleTimeout: 50 });
    let isEnded = false;
    daemon.rules = function* () {
      try {
        for (;;) yield RULE;
      } finally {
        isEnded = true;
      }
    };
    const socket = open(port).pause();
    socket.write(`GET /api/v1/rules HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    await until('nothing is written to it any more', () => isEnded);
  });
});
