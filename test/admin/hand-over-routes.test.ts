import { describe, expect, it } from 'vitest';
import { adminApp } from '../../src/admin/admin-app.ts';
import { FakeDaemon, GUARD } from './support.ts';

function ask(path: string, body: unknown, headers: Record<string, string> = {}) {
  const daemon = new FakeDaemon();
  const app = adminApp(daemon, GUARD);
  const request = {
    method: 'POST',
    headers: { host: '127.0.0.1', 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  };
  return { daemon, answer: app.request(`http://127.0.0.1${path}`, request) };
}

describe('a successor asks', () => {
  it.each([
    ['for the sockets', '/-/take-over', { socket: '@here' }, 200],
    ['for the sockets, where nobody waits for them', '/-/take-over', { socket: '@gone' }, 409],
    ['for the sockets, at a file', '/-/take-over', { socket: '/run/x.sock' }, 400],
    ['for the sockets, without a socket', '/-/take-over', {}, 400],
    ['it to retire', '/-/retire', { key: 'the key' }, 200],
    ['it to retire, with another key', '/-/retire', { key: 'a key' }, 403],
    ['it to retire, without a key', '/-/retire', null, 400],
  ])('%s', async (_what, path, body, status) => {
    expect((await ask(path, body).answer).status).toBe(status);
  });

  it('from a web page: it is not even heard', async () => {
    const { daemon, answer } = ask('/-/take-over', { socket: '@here' }, { origin: 'http://evil.example' });
    expect((await answer).status).toBe(403);
    expect(daemon.handOvers).toEqual([]);
  });
});
