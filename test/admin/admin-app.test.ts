import { describe, expect, it } from 'vitest';
import { READINESS_DEFAULTS } from '../../src/observe/readiness.ts';
import { IpAddress } from '../../src/policy/address.ts';
import { ask } from './ask.ts';
import { FakeDaemon, READINESS, RULE, SITE, SOURCE_SITES, STATUS } from './support.ts';

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
    expect(await ask({ path: '/-/healthy' }, daemon)).toMatchObject({ status: 200, text: 'ok\n' });
  });

  it('is not healthy when nothing serves', async () => {
    const daemon = new FakeDaemon();
    daemon.healthy = false;
    expect(await ask({ path: '/-/healthy' }, daemon)).toMatchObject({
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
    expect(await ask({ path: '/-/ready' }, daemon)).toMatchObject({ status, text: `${state}\n` });
  });

  it('gives the metrics in their own type', async () => {
    expect(await ask({ path: '/metrics' })).toMatchObject({
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
    const { status, text } = await ask({ method: 'POST', path: '/-/reload' }, daemon);
    expect([status, json(text), daemon.reloads]).toEqual([200, daemon.outcome, ['http']]);
  });

  it('answers a failed reload with 422 and its diagnostics', async () => {
    const daemon = new FakeDaemon();
    daemon.outcome = { result: 'failure', policy: STATUS.policy, errors: ['policy.yaml:1:1: no'] };
    const { status, text } = await ask({ method: 'POST', path: '/-/reload' }, daemon);
    expect([status, json(text)]).toEqual([422, daemon.outcome]);
  });

  it('picks sites by time, source and verdict', async () => {
    const daemon = new FakeDaemon();
    const path =
      '/api/v1/sites?since=2026-01-02&newSince=2026-01-01T12:00:00Z&source=build&verdict=would-deny';
    expect((await ask({ path }, daemon)).status).toBe(200);
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
    const { text } = await ask({ path: '/api/v1/readiness' }, daemon);
    expect(json(text)).toEqual(READINESS);
    await ask({ path: '/api/v1/readiness?minDays=3&calendar=none' }, daemon);
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
    const { text } = await ask({ path }, daemon);
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
    const { status, text } = await ask({ method: 'POST', path: '/api/v1/sites/reset' }, daemon);
    expect([status, json(text), daemon.resets]).toEqual([200, { dropped: 7, sinceMs: 1 }, 1]);
  });

  it('forgets no site when it is asked for some only', async () => {
    const daemon = new FakeDaemon();
    const path = '/api/v1/sites/reset?source=10.0.0.1';
    const { status, text } = await ask({ method: 'POST', path }, daemon);
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
    const { status, text } = await ask(explain(body), daemon);
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
    const { status, text } = await ask(explain(body), daemon);
    expect([status, json(text), daemon.questions]).toEqual([400, { error: expect.stringMatching(/\w/) }, []]);
  });

  it.each([
    ['GET', '/nothing/here'],
    ['POST', '/nothing/here'],
    ['OPTIONS', '/nothing/here'],
    ['GET', '/api/v1'],
    ['GET', '/api/v1/status/'],
  ])('%s %s does not exist', async (method, path) => {
    const { status, text } = await ask({ method, path });
    expect([status, json(text)]).toEqual([404, { error: `no such resource: ${method} ${path}` }]);
  });

  it.each([
    ['GET', '/-/reload', 'POST'],
    ['HEAD', '/-/reload', 'POST'],
    ['POST', '/api/v1/status', 'GET, HEAD'],
    ['DELETE', '/api/v1/policy', 'GET, HEAD, PUT'],
    ['PATCH', '/api/v1/mode', 'POST'],
  ])('%s %s names the methods there are', async (method, path, allow) => {
    const { status, headers, text } = await ask({ method, path });
    expect([status, headers.get('allow')]).toEqual([405, allow]);
    if (method !== 'HEAD') expect(json(text)).toEqual({ error: `${path} takes ${allow}` });
  });

  it('OPTIONS names them too, and gives no other origin leave', async () => {
    const { status, headers, text } = await ask({ method: 'OPTIONS', path: '/api/v1/policy' });
    expect([status, headers.get('allow'), text]).toEqual([204, 'GET, HEAD, PUT', '']);
    expect([...headers.keys()].filter(name => name.startsWith('access-control'))).toEqual([]);
  });

  it('with a body over 64 KiB is refused as too large', async () => {
    const daemon = new FakeDaemon();
    const body = JSON.stringify({ host: 'a.example', from: '10.0.0.1', pad: 'x'.repeat(70_000) });
    const { status } = await ask(explain(body), daemon);
    expect([status, daemon.questions]).toEqual([413, []]);
  });

  it('a fault of the daemon’s own is a 500 that tells nothing of it', async () => {
    const daemon = new FakeDaemon();
    daemon.metricsFault = new Error('registry is broken');
    const { status, text } = await ask({ path: '/metrics' }, daemon);
    expect([status, json(text)]).toEqual([500, { error: 'a fault of the daemon (its log says more)' }]);
    expect(daemon.faults).toEqual(['GET /metrics: registry is broken']);
  });
});

describe('every answer', () => {
  it.each([
    ['GET', '/api/v1/status', 200],
    ['GET', '/api/v1/rules', 200],
    ['GET', '/nothing', 404],
    ['GET', '/-/reload', 405],
    ['OPTIONS', '/-/reload', 204],
  ])('%s %s is not kept, shown or run by a browser', async (method, path, expected) => {
    const { status, headers } = await ask({ method, path });
    expect([status, Object.fromEntries(headers)]).toEqual([
      expected,
      expect.objectContaining({
        'cache-control': 'no-store',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'cross-origin-resource-policy': 'same-origin',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
      }),
    ]);
  });

  it('to HEAD is that to GET without its body', async () => {
    const { status, type, text } = await ask({ method: 'HEAD', path: '/api/v1/status' });
    expect([status, type, text]).toEqual([200, 'application/json', '']);
  });
});
