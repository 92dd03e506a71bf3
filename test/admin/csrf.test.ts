import { describe, expect, it } from 'vitest';
import { ask, HOST } from './ask.ts';
import { FakeDaemon } from './support.ts';

const JSON_TYPE = 'application/json';
/** All that changes something. */
const CHANGES = [
  ['POST', '/-/reload', undefined],
  ['POST', '/api/v1/sites/reset', undefined],
  ['POST', '/api/v1/mode', '{"mode":"observe"}'],
  ['POST', '/api/v1/allow', '{"hosts":["evil.example"]}'],
  ['POST', '/api/v1/deny', '{"hosts":["good.example"]}'],
  ['PUT', '/api/v1/policy', 'version: 1'],
] as const;

/** What a daemon was made to do. */
const done = ({ reloads, resets, changes }: FakeDaemon) => reloads.length + resets + changes.asked.length;

/** A page of another origin makes the browser of somebody on this host send a request. */
describe('cross-site request forgery', () => {
  it.each(CHANGES)('%s %s is done for who may', async (method, path, body) => {
    const daemon = new FakeDaemon();
    const headers = body === undefined ? {} : { 'content-type': JSON_TYPE };
    const call = { method, path, headers: { 'if-match': '*', ...headers } };
    expect((await ask(body === undefined ? call : { ...call, body }, daemon)).status).toBe(200);
    expect(done(daemon)).toBe(1);
  });

  describe.each([
    ['another origin', { origin: 'http://evil.example' }],
    ['another scheme', { origin: `https://${HOST}` }],
    ['another port', { origin: 'http://127.0.0.1:8080' }],
    ['another name for this host', { origin: 'http://localhost:9464' }],
    ['an origin that is hidden', { origin: 'null' }],
    ['an empty origin', { origin: '' }],
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['another port, without its origin', { 'sec-fetch-site': 'same-site' }],
  ])('a page of %s', (_, from) => {
    it.each(CHANGES)('%s %s does nothing', async (method, path, body) => {
      const daemon = new FakeDaemon();
      const call = { method, path, headers: { 'content-type': JSON_TYPE, 'if-match': '*', ...from } };
      expect((await ask(body === undefined ? call : { ...call, body }, daemon)).status).toBe(403);
      expect([done(daemon), daemon.audited.length]).toEqual([0, 1]);
    });

    it('reads nothing', async () => {
      expect((await ask({ path: '/api/v1/sites', headers: from })).status).toBe(403);
    });
  });

  it.each(['none', 'same-origin'])('the browser itself asks with Sec-Fetch-Site: %s', async site => {
    const headers = { 'sec-fetch-site': site, origin: `http://${HOST}` };
    expect((await ask({ path: '/api/v1/status', headers })).status).toBe(200);
  });

  describe.each([
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'text/plain',
    'Text/Plain;charset=UTF-8',
    'application/json, text/plain',
    'text/plain; application/json',
  ])('a form of type %s, from a browser that tells no origin', type => {
    it.each(CHANGES.filter(([method]) => method === 'POST'))(
      '%s %s does nothing',
      async (method, path, body) => {
        const daemon = new FakeDaemon();
        const headers = { 'content-type': type };
        const { status, text } = await ask({ method, path, headers, body: body ?? 'x=1' }, daemon);
        expect([status, done(daemon)]).toEqual([415, 0]);
        expect(text).toContain('content-type: application/json');
      },
    );
  });

  it('a form without fields does nothing', async () => {
    const daemon = new FakeDaemon();
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': '0' };
    expect((await ask({ method: 'POST', path: '/-/reload', headers }, daemon)).status).toBe(415);
    expect(done(daemon)).toBe(0);
  });

  it('a preflight is not granted', async () => {
    const headers = { origin: 'http://evil.example', 'access-control-request-method': 'PUT' };
    const answer = await ask({ method: 'OPTIONS', path: '/api/v1/policy', headers });
    expect(answer.status).toBe(403);
    expect([...answer.headers.keys()].filter(name => name.startsWith('access-control'))).toEqual([]);
  });
});
