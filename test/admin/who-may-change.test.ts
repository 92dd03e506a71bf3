import { describe, expect, it } from 'vitest';
import { ask } from './ask.ts';
import { FakeDaemon, tokenOf } from './support.ts';

const TOKEN = 'secret-token-of-the-test';

describe('who may change something', () => {
  it.each<[string, boolean, string | null, string | undefined, number]>([
    ['anyone on loopback', true, null, undefined, 200],
    ['nobody off loopback while no token is configured', false, null, undefined, 403],
    ['not even with some token', false, null, 'Bearer x', 403],
    ['nobody without the token', true, TOKEN, undefined, 401],
    ['nobody off loopback without it', false, TOKEN, undefined, 401],
    ['nobody with another', false, TOKEN, 'Bearer secret-token-of-the-tesT', 401],
    ['nobody with a part of it', false, TOKEN, 'Bearer secret', 401],
    ['nobody with more than it', false, TOKEN, `Bearer ${TOKEN}x`, 401],
    ['nobody with it twice', false, TOKEN, `Bearer ${TOKEN}, Bearer ${TOKEN}`, 401],
    ['nobody with the bare token', false, TOKEN, TOKEN, 401],
    ['nobody with it in another scheme', false, TOKEN, `Basic ${TOKEN}`, 401],
    ['nobody with an empty one', false, TOKEN, 'Bearer ', 401],
    ['who has the token', false, TOKEN, `Bearer ${TOKEN}`, 200],
    ['who has the token, on loopback', true, TOKEN, `Bearer ${TOKEN}`, 200],
    ['who writes the scheme in small letters', false, TOKEN, `bearer ${TOKEN}`, 200],
    ['who writes it in capitals, with more than one space', false, TOKEN, `BEARER   ${TOKEN}`, 200],
  ])('%s', async (_, isLoopback, text, authorization, status) => {
    const daemon = new FakeDaemon();
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    const guard = { isLoopback, token: text === null ? null : tokenOf(`${text}\n`) };
    const answer = await ask({ method: 'POST', path: '/-/reload', headers }, daemon, guard);
    expect([answer.status, daemon.reloads.length]).toEqual([status, status === 200 ? 1 : 0]);
    expect(answer.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer realm="sallyport"' : null);
    expect(answer.text + JSON.stringify(daemon.audited)).not.toContain(TOKEN);
  });

  it.each(['PUT', 'DELETE', 'PATCH', 'CONNECTED', 'get'])('%s is no reading', async method => {
    const guard = { isLoopback: false, token: tokenOf(TOKEN) };
    // The Fetch standard folds `get` itself.
    const status = method === 'get' ? 405 : 401;
    expect((await ask({ method, path: '/-/reload' }, undefined, guard)).status).toBe(status);
  });
});

describe('who may read', () => {
  const READING = ['/-/healthy', '/-/ready', '/metrics', '/api/v1/status', '/api/v1/sites'];
  const explain = {
    method: 'POST',
    path: '/api/v1/explain',
    headers: { 'content-type': 'application/json' },
    body: '{"host":"a.example","from":"10.0.0.1"}',
  };

  it('everybody, unless tokenFor says otherwise', async () => {
    const guard = { isLoopback: false, token: tokenOf(TOKEN) };
    for (const path of READING) expect((await ask({ path }, undefined, guard)).status).toBe(200);
    expect((await ask(explain, undefined, guard)).status).toBe(200);
  });

  it('with tokenFor: all, who has the token, and of health everybody', async () => {
    const guard = { isLoopback: true, token: tokenOf(TOKEN), tokenFor: 'all' } as const;
    const statuses = async (headers: Record<string, string>) => {
      const answers = [];
      for (const path of READING) answers.push((await ask({ path, headers }, undefined, guard)).status);
      const asked = { ...explain, headers: { ...explain.headers, ...headers } };
      return [...answers, (await ask(asked, undefined, guard)).status];
    };
    expect(await statuses({})).toEqual([200, 200, 401, 401, 401, 401]);
    expect(await statuses({ authorization: `Bearer ${TOKEN}` })).toEqual([200, 200, 200, 200, 200, 200]);
  });
});
