import { describe, expect, it } from 'vitest';
import { adminApp } from '../../src/admin/admin-app.ts';
import { READINESS_DEFAULTS } from '../../src/observe/readiness.ts';
import { IpAddress } from '../../src/policy/address.ts';
import { FakeDaemon, READINESS, RULE, SITE, SOURCE_SITES, STATUS } from './support.ts';

const HOST = '127.0.0.1:9464';

interface Call {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

async function ask(
  { method = 'GET', path, headers = {}, body }: Call,
  { daemon = new FakeDaemon(), isLoopback = true, token = null as string | null } = {},
) {
  const app = adminApp(daemon, { isLoopback, token });
  const response = await app.request(`http://${HOST}${path}`, {
    method,
    headers: { host: HOST, ...headers },
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.text();
  return { status: response.status, type: response.headers.get('content-type') ?? '', text };
}

const json = (text: string): unknown => JSON.parse(text);
const explain = (body: unknown) => ({
  method: 'POST',
  path: '/api/v1/explain',
  headers: { 'content-type': 'application/json' },
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

describe('what the admin HTTP answers', () => {
  it('is healthy, whatever the state', async () => {
    const daemon = new FakeDaemon();
    daemon.current = { ...STATUS, state: 'draining' };
    expect(await ask({ path: '/-/healthy' }, { daemon })).toMatchObject({ status: 200, text: 'ok\n' });
  });

  it('is not healthy when nothing serves', async () => {
    const daemon = new FakeDaemon();
    daemon.healthy = false;
    expect(await ask({ path: '/-/healthy' }, { daemon })).toMatchObject({
      status: 503,
      text: 'no data plane worker serves\n',
    });
  });

  it.each([
    ['ready', 200],
    ['starting', 503],
    ['draining', 503],
  ] as const)('is ready or not: %s answers %i', async (state, status) => {
    const daemon = new FakeDaemon();
    daemon.current = { ...STATUS, state };
    expect(await ask({ path: '/-/ready' }, { daemon })).toMatchObject({ status, text: `${state}\n` });
  });

  it('gives the metrics in their own type', async () => {
    expect(await ask({ path: '/metrics' })).toEqual({
      status: 200,
      type: 'text/plain; version=0.0.4; charset=utf-8',
      text: 'sallyport_sites 1\n',
    });
  });

  it.each([
    ['/api/v1/status', STATUS],
    ['/api/v1/sites', { gateway: 'gw-1', total: 1, sites: [SITE] }],
    ['/api/v1/sites?by=source', { gateway: 'gw-1', total: 2, sites: SOURCE_SITES }],
    ['/api/v1/sites?by=source&limit=1', { gateway: 'gw-1', total: 2, sites: SOURCE_SITES.slice(0, 1) }],
    ['/api/v1/rules', { rules: [RULE] }],
  ])('%s', async (path, expected) => {
    const { status, type, text } = await ask({ path });
    expect([status, type, json(text)]).toEqual([200, 'application/json', expected]);
  });

  it('reloads, and says that HTTP asked for it', async () => {
    const daemon = new FakeDaemon();
    const { status, text } = await ask({ method: 'POST', path: '/-/reload' }, { daemon });
    expect([status, json(text), daemon.reloads]).toEqual([200, daemon.outcome, ['http']]);
  });

  it('answers a failed reload with 422 and its diagnostics', async () => {
    const daemon = new FakeDaemon();
    daemon.outcome = { result: 'failure', policy: STATUS.policy, errors: ['policy.yaml:1:1: no'] };
    const { status, text } = await ask({ method: 'POST', path: '/-/reload' }, { daemon });
    expect([status, json(text)]).toEqual([422, daemon.outcome]);
  });

  it('picks sites by time, source and verdict', async () => {
    const daemon = new FakeDaemon();
    const path =
      '/api/v1/sites?since=2026-01-02&newSince=2026-01-01T12:00:00Z&source=build&verdict=would-deny';
    expect((await ask({ path }, { daemon })).status).toBe(200);
    const [filter] = daemon.filters;
    expect(filter).toMatchObject({
      sinceMs: Date.UTC(2026, 0, 2),
      newSinceMs: Date.UTC(2026, 0, 1, 12),
      verdict: 'would-deny',
    });
    expect(
      ['10.12.4.9', '10.12.5.9'].map(ip =>
        filter?.sources?.holds(IpAddress.parse(ip) ?? IpAddress.fromV4(0)),
      ),
    ).toEqual([true, false]);
  });

  it.each([
    ['since=yesterday', /^since: "yesterday" is no moment \(write 7d/],
    ['newSince=2026-02-30', /^newSince: "2026-02-30" is on no calendar/],
    ['source=biuld', /^source: "biuld" is no address, block or source group \(.*: build\)$/],
    ['verdict=dany', /^verdict: .*\(did you mean "deny"\?\)$/],
    ['limit=0', /^limit: "0" is no number from 1 up/],
    ['by=rule', /^by: /],
    ['sinse=7d', /^unknown key "sinse" \(did you mean "since"\?\)$/],
  ])('says what is wrong with %s', async (query, error) => {
    const { status, text } = await ask({ path: `/api/v1/sites?${query}` });
    expect([status, json(text)]).toEqual([400, { error: expect.stringMatching(error) }]);
  });

  it('assesses readiness by the thresholds that are asked for, else by the defaults', async () => {
    const daemon = new FakeDaemon();
    const { text } = await ask({ path: '/api/v1/readiness' }, { daemon });
    expect(json(text)).toEqual(READINESS);
    await ask({ path: '/api/v1/readiness?minDays=3&calendar=none' }, { daemon });
    expect(daemon.thresholds).toEqual([
      READINESS_DEFAULTS,
      { ...READINESS_DEFAULTS, minDays: 3, calendar: 'none' },
    ]);
  });

  it.each(['minDays=-1', 'quietHours=1.5', 'calendar=easter', 'days=3'])(
    'refuses readiness with %s',
    async query => {
      expect((await ask({ path: `/api/v1/readiness?${query}` })).status).toBe(400);
    },
  );

  it('shows what flows did over time', async () => {
    const daemon = new FakeDaemon();
    const path = '/api/v1/trend?step=minute&since=2026-01-01&host=a.example&port=443';
    const { text } = await ask({ path }, { daemon });
    expect(json(text)).toMatchObject({ step: 'minute', points: [{ timeMs: 60_000, flows: 1 }] });
    expect(daemon.trends).toEqual([
      ['minute', { host: 'a.example', port: 443, sources: undefined }, Date.UTC(2026, 0, 1)],
    ]);
  });

  it.each(['step=day', 'port=https', 'since=x'])('refuses a trend with %s', async query => {
    expect((await ask({ path: `/api/v1/trend?${query}` })).status).toBe(400);
  });

  it('forgets the sites, and says how many', async () => {
    const daemon = new FakeDaemon();
    const { status, text } = await ask({ method: 'POST', path: '/api/v1/sites/reset' }, { daemon });
    expect([status, json(text), daemon.resets]).toEqual([200, { dropped: 7, sinceMs: 1 }, 1]);
  });

  it('forgets no site when it is asked for some only', async () => {
    const daemon = new FakeDaemon();
    const path = '/api/v1/sites/reset?source=10.0.0.1';
    const { status, text } = await ask({ method: 'POST', path }, { daemon });
    expect([status, json(text), daemon.resets]).toEqual([
      400,
      { error: 'a reset forgets all sites: leave out source' },
      0,
    ]);
  });

  it.each([
    [{ host: 'a.example', from: '10.0.0.1' }, 'a.example:443 from 10.0.0.1', 'allow'],
    [{ host: 'A.Example', port: 443, from: '::1' }, 'a.example:443 from ::1', 'allow'],
    [{ host: 'a.example', port: 22, from: '10.0.0.1' }, 'a.example:22 from 10.0.0.1', 'deny'],
    [{ host: '2001:db8::1', port: 22, from: '10.0.0.1' }, '2001:db8::1:22 from 10.0.0.1', 'deny'],
  ])('explains %j', async (body, question, action) => {
    const daemon = new FakeDaemon();
    const { status, text } = await ask(explain(body), { daemon });
    expect([status, daemon.questions, json(text)]).toMatchObject([200, [question], { action }]);
  });
});

describe('a question that is put wrongly', () => {
  it.each<[string, unknown]>([
    ['no JSON', '{"host":'],
    ['nothing', ''],
    ['no object', '"a.example"'],
    ['no host', { from: '10.0.0.1' }],
    ['no source', { host: 'a.example' }],
    ['a host that is no hostname', { host: 'a..example', from: '10.0.0.1' }],
    ['a host that is neither name nor address', { host: '127.0.0.1.', from: '10.0.0.1' }],
    ['port 0', { host: 'a.example', port: 0, from: '10.0.0.1' }],
    ['port 65536', { host: 'a.example', port: 65_536, from: '10.0.0.1' }],
    ['a port in text', { host: 'a.example', port: '443', from: '10.0.0.1' }],
    ['a source that is no address', { host: 'a.example', from: '10.0.0' }],
    ['an unknown key', { host: 'a.example', from: '10.0.0.1', hots: 1 }],
  ])('%s is answered with 400 and why', async (_, body) => {
    const daemon = new FakeDaemon();
    const { status, text } = await ask(explain(body), { daemon });
    expect([status, json(text), daemon.questions]).toEqual([400, { error: expect.stringMatching(/\w/) }, []]);
  });

  it.each([
    ['GET', '/nothing/here'],
    ['GET', '/-/reload'],
    ['POST', '/api/v1/status'],
    ['DELETE', '/api/v1/policy'],
  ])('%s %s does not exist', async (method, path) => {
    const { status, text } = await ask({ method, path });
    expect([status, json(text)]).toEqual([404, { error: `no such resource: ${method} ${path}` }]);
  });

  it('with a body over 64 KiB is refused as too large', async () => {
    const daemon = new FakeDaemon();
    const body = JSON.stringify({ host: 'a.example', from: '10.0.0.1', pad: 'x'.repeat(70_000) });
    const { status } = await ask(explain(body), { daemon });
    expect([status, daemon.questions]).toEqual([413, []]);
  });

  it('a fault of the daemon’s own is a 500 without a stack', async () => {
    const daemon = new FakeDaemon();
    daemon.metricsFault = new Error('registry is broken');
    const { status, text } = await ask({ path: '/metrics' }, { daemon });
    expect([status, text]).toEqual([500, '{"error":"registry is broken"}']);
  });
});

describe('what a web page could make a browser send', () => {
  it.each([
    ['localhost:9464', 200],
    ['LOCALHOST', 200],
    ['127.0.0.1:9464', 200],
    ['127.9.9.9:1', 200],
    ['[::1]:9464', 200],
    ['evil.example', 403],
    ['evil.example:9464', 403],
    ['localhost.evil.example', 403],
    ['127.0.0.1.evil.example', 403],
    ['127.0.0.1:9464@evil.example', 403],
    ['', 403],
  ])('on loopback, with Host %j: %i', async (host, status) => {
    expect((await ask({ path: '/api/v1/status', headers: { host } })).status).toBe(status);
  });

  it.each([
    ['http://127.0.0.1:9464', 200],
    ['http://evil.example', 403],
    ['https://127.0.0.1:9464', 403],
    ['http://127.0.0.1:8080', 403],
    ['null', 403],
    ['', 403],
  ])('with Origin %j: %i', async (origin, status) => {
    for (const isLoopback of [true, false]) {
      const call = { path: '/api/v1/status', headers: { origin } };
      expect((await ask(call, { isLoopback })).status).toBe(status);
    }
  });

  it('does not reload for a page of another origin', async () => {
    const daemon = new FakeDaemon();
    const call = { method: 'POST', path: '/-/reload', headers: { origin: 'http://evil.example' } };
    expect((await ask(call, { daemon })).status).toBe(403);
    expect(daemon.reloads).toEqual([]);
  });
});

describe('who may change something', () => {
  const TOKEN = 'secret-token-of-the-test';

  it.each<[string, boolean, string | null, string | undefined, number]>([
    ['anyone on loopback', true, null, undefined, 200],
    ['nobody off loopback while no token is configured', false, null, undefined, 403],
    ['not even with some token', false, null, 'Bearer x', 403],
    ['nobody without the token', true, TOKEN, undefined, 401],
    ['nobody off loopback without it', false, TOKEN, undefined, 401],
    ['nobody with another', false, TOKEN, 'Bearer secret-token-of-the-tesT', 401],
    ['nobody with a part of it', false, TOKEN, 'Bearer secret', 401],
    ['nobody with the bare token', false, TOKEN, TOKEN, 401],
    ['who has the token', false, TOKEN, `Bearer ${TOKEN}`, 200],
    ['who has the token, on loopback', true, TOKEN, `Bearer ${TOKEN}`, 200],
  ])('%s', async (_, isLoopback, token, authorization, status) => {
    const daemon = new FakeDaemon();
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    const answer = await ask({ method: 'POST', path: '/-/reload', headers }, { daemon, isLoopback, token });
    expect([answer.status, daemon.reloads.length]).toEqual([status, status === 200 ? 1 : 0]);
    expect(answer.text).not.toContain(TOKEN);
  });

  it('reading needs no token', async () => {
    for (const path of ['/-/healthy', '/-/ready', '/metrics', '/api/v1/status']) {
      expect((await ask({ path }, { isLoopback: false, token: TOKEN })).status).toBe(200);
    }
  });

  it.each(['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'CONNECTED'])('%s is no reading', async method => {
    expect((await ask({ method, path: '/-/reload' }, { isLoopback: false, token: TOKEN })).status).toBe(401);
  });
});
