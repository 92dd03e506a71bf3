import { describe, expect, it } from 'vitest';
import { adminApp } from '../../src/admin/admin-app.ts';
import type { ChangeOutcome, Refusal } from '../../src/admin/policy-changes.ts';
import { FakeDaemon, GUARD, REPORT, STATUS, tokenOf } from './support.ts';

const HOST = '127.0.0.1:9464';
const HASH = '5a'.repeat(32);

async function ask(
  daemon: FakeDaemon,
  method: string,
  path: string,
  { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
) {
  const app = adminApp(daemon, GUARD);
  const response = await app.request(`http://${HOST}/api/v1${path}`, {
    method,
    headers: { host: HOST, 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text };
}

const bytes = (text: string) => new TextEncoder().encode(text);

describe('GET /api/v1/policy', () => {
  it('is the text of a policy in one file, with its hash as ETag', async () => {
    const daemon = new FakeDaemon();
    const file = { name: 'policy.yaml', sha256: HASH, bytes: bytes('version: 1\r\nrules: []') };
    daemon.changes.texts = { ok: true, isDirectory: false, sha256: HASH, files: [file] };
    const { status, headers, text } = await ask(daemon, 'GET', '/policy');
    expect([status, headers.get('etag'), headers.get('content-type'), text]).toEqual([
      200,
      `"${HASH}"`,
      'application/yaml; charset=utf-8',
      'version: 1\r\nrules: []',
    ]);
  });

  describe('of a directory', () => {
    const daemon = new FakeDaemon();
    daemon.changes.texts = {
      ok: true,
      isDirectory: true,
      sha256: HASH,
      files: [{ name: 'a.yaml', sha256: 'aa'.repeat(32), bytes: bytes('a: ü') }],
    };

    it('is the list of its files', async () => {
      const { status, headers, text } = await ask(daemon, 'GET', '/policy');
      expect([status, headers.get('etag'), JSON.parse(text)]).toEqual([
        200,
        `"${HASH}"`,
        { sha256: HASH, files: [{ name: 'a.yaml', sha256: 'aa'.repeat(32), bytes: 5 }] },
      ]);
    });

    it('is one of them where it is named', async () => {
      const { headers, text } = await ask(daemon, 'GET', '/policy?file=a.yaml');
      expect([headers.get('etag'), text]).toEqual([`"${'aa'.repeat(32)}"`, 'a: ü']);
      expect((await ask(daemon, 'GET', '/policy?file=..%2Fa.yaml')).status).toBe(404);
    });
  });

  it('says why there is none', async () => {
    const { status, text } = await ask(new FakeDaemon(), 'GET', '/policy');
    expect([status, JSON.parse(text)]).toEqual([404, { error: 'policy.yaml:1:1: does not exist' }]);
  });
});

describe('PUT /api/v1/policy', () => {
  it('needs If-Match', async () => {
    const daemon = new FakeDaemon();
    const { status, text } = await ask(daemon, 'PUT', '/policy', { body: 'version: 1' });
    expect([status, daemon.changes.asked]).toEqual([428, []]);
    expect(JSON.parse(text).error).toContain('If-Match is needed');
  });

  it.each<[string, readonly string[] | null]>([
    [`"${HASH}"`, [HASH]],
    [`"${HASH}", "${'bb'.repeat(32)}"`, [HASH, 'bb'.repeat(32)]],
    ['*', null],
    // Weak ones never match, nor does what is no ETag of ours.
    [`W/"${HASH}"`, []],
    ['nonsense', []],
  ])('takes If-Match: %s', async (header, ifMatch) => {
    const daemon = new FakeDaemon();
    await ask(daemon, 'PUT', '/policy?file=a.yaml&dryRun=true', {
      body: 'version: 1\n',
      headers: { 'if-match': header, 'x-sallyport-user': 'ann%20b' },
    });
    expect(daemon.changes.asked).toEqual([
      {
        change: { kind: 'replace', file: 'a.yaml', text: 'version: 1\n' },
        request: { ifMatch, dryRun: true, force: false, by: { peer: null, auth: 'loopback', user: 'ann b' } },
      },
    ]);
  });

  it.each<[string, number, boolean | undefined]>([
    ['', 200, false],
    ['?force=false', 200, false],
    ['?force=true', 200, true],
    ['?force=yes', 400, undefined],
  ])('enforces by force only when that is asked for: %j', async (query, status, force) => {
    const daemon = new FakeDaemon();
    const answer = await ask(daemon, 'PUT', `/policy${query}`, {
      body: 'version: 1\n',
      headers: { 'if-match': '*' },
    });
    expect([answer.status, daemon.changes.asked[0]?.request.force]).toEqual([status, force]);
  });

  it('takes UTF-8 only', async () => {
    const app = adminApp(new FakeDaemon(), GUARD);
    const response = await app.request(`http://${HOST}/api/v1/policy`, {
      method: 'PUT',
      headers: { host: HOST, 'if-match': '*' },
      body: Uint8Array.from([0x61, 0xff]),
    });
    expect([response.status, await response.json()]).toEqual([400, { error: 'the body is not UTF-8 text' }]);
  });

  it('takes more than other requests do', async () => {
    const daemon = new FakeDaemon();
    const body = '#'.repeat(1024 * 1024);
    const { status } = await ask(daemon, 'PUT', '/policy', { body, headers: { 'if-match': '*' } });
    expect([status, daemon.changes.asked.length]).toEqual([200, 1]);
  });
});

describe('POST /api/v1/mode, allow and deny', () => {
  it.each<[string, unknown, unknown]>([
    ['mode', { mode: 'enforce', force: true }, { kind: 'mode', mode: 'enforce', source: null, until: null }],
    [
      'mode',
      { mode: 'observe', source: 'build', until: null },
      { kind: 'mode', mode: 'observe', source: 'build', until: null },
    ],
    [
      'allow',
      { hosts: ['a.example'], ports: [22] },
      {
        kind: 'add',
        action: 'allow',
        hosts: ['a.example'],
        rule: null,
        ports: [22],
        from: null,
        until: null,
      },
    ],
    [
      'deny',
      { hosts: ['a.example'], rule: 'no', remove: true },
      { kind: 'remove', action: 'deny', hosts: ['a.example'], rule: 'no' },
    ],
  ])('%s %j', async (path, body, change) => {
    const daemon = new FakeDaemon();
    expect((await ask(daemon, 'POST', `/${path}`, { body })).status).toBe(200);
    expect(daemon.changes.asked.map(asked => asked.change)).toEqual([change]);
  });

  it.each<[string, unknown]>([
    ['mode', { mode: 'enforced' }],
    ['mode', { mode: 'enforce', soruce: 'build' }],
    ['mode', '{'],
    ['mode?dryRun=yes', { mode: 'enforce' }],
    ['allow', { hosts: [] }],
    ['allow', { hosts: 'a.example' }],
    ['allow', { hosts: ['a.example'], ports: [0] }],
    ['deny', { hosts: ['a.example'], ports: [443], remove: true }],
  ])('%s %j is answered with 400 and why', async (path, body) => {
    const daemon = new FakeDaemon();
    const { status, text } = await ask(daemon, 'POST', `/${path}`, { body });
    expect([status, JSON.parse(text), daemon.changes.asked]).toEqual([
      400,
      { error: expect.stringMatching(/\w/) },
      [],
    ]);
  });

  it.each<[Refusal, number]>([
    ['invalid', 422],
    ['not_loaded', 422],
    ['missing', 404],
    ['changed', 412],
    ['busy', 503],
    ['unwritable', 409],
    ['not_ready', 409],
  ])('a change that is refused as %s is answered with %i', async (refusal, status) => {
    const daemon = new FakeDaemon();
    const outcome: ChangeOutcome = { result: 'refused', refusal, errors: ['a', 'b'], diff: '' };
    daemon.changes.outcome = outcome;
    const answer = await ask(daemon, 'POST', '/mode', { body: { mode: 'enforce' } });
    expect([answer.status, JSON.parse(answer.text)]).toEqual([status, { error: 'b', ...outcome }]);
  });

  it('a change that is made is answered with its report', async () => {
    const daemon = new FakeDaemon();
    daemon.changes.outcome = { ...REPORT, result: 'applied', policy: STATUS.policy };
    const { status, text } = await ask(daemon, 'POST', '/mode', { body: { mode: 'enforce' } });
    expect([status, JSON.parse(text)]).toEqual([200, daemon.changes.outcome]);
  });
});

describe('a change that nobody may ask for', () => {
  it.each([
    ['without the token', {}],
    ['with another', { authorization: 'Bearer nothing-of-the-kind' }],
    ['from another origin', { origin: 'http://evil.example' }],
    ['for another host', { host: 'evil.example' }],
  ])('is refused %s, and recorded', async (_, headers) => {
    const daemon = new FakeDaemon();
    const app = adminApp(daemon, { ...GUARD, token: tokenOf('a-token-of-some-length') });
    const response = await app.request(`http://${HOST}/api/v1/mode`, {
      method: 'POST',
      headers: { host: HOST, 'content-type': 'application/json', 'x-sallyport-user': 'eve', ...headers },
      body: '{"mode":"observe"}',
    });
    expect([401, 403]).toContain(response.status);
    expect(daemon.changes.asked).toEqual([]);
    expect(daemon.audited).toMatchObject([
      { action: 'POST /api/v1/mode', result: 'refused', auth: 'none', user: 'eve' },
    ]);
  });

  it('reading is not recorded', async () => {
    const daemon = new FakeDaemon();
    const app = adminApp(daemon, GUARD);
    await app.request(`http://${HOST}/api/v1/status`, { headers: { host: 'evil.example' } });
    expect(daemon.audited).toEqual([]);
  });
});
