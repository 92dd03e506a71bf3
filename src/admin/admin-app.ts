import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { z } from 'zod';
import { READINESS_DEFAULTS } from '../observe/readiness.ts';
import type { Site, SourceSite } from '../observe/site-query.ts';
import { IpAddress } from '../policy/address.ts';
import { parseHostname } from '../policy/hostname.ts';
import { HOSTNAME_FAULTS } from '../tls-sni/index.ts';
import type { DaemonApi, SitesPage } from './daemon-api.ts';
import { handOverRoutes } from './hand-over-routes.ts';
import { streamJsonList } from './json-list.ts';
import { policyRoutes } from './policy-routes.ts';
import { readQuery } from './query.ts';
import { readinessParams } from './readiness-params.ts';
import { guardRequests, type RequestGuardOptions } from './request-guard.ts';
import { requesterOf } from './requester.ts';
import { siteParams, trendParams } from './site-params.ts';

/** How much of a trend is shown where nothing is said. */
const TREND_MS = { minute: 3 * 3_600_000, hour: 7 * 24 * 3_600_000 } as const;
const JSON_TYPE = { 'content-type': 'application/json' };
const MAX_BODY_BYTES = 64 * 1024;
/** Of `PUT /api/v1/policy`: as large as a policy may be. */
const MAX_POLICY_BYTES = 64 * 1024 * 1024;

const explainBody = z.strictObject({
  host: z.string().min(1).max(1024),
  port: z.int().min(1).max(65535).default(443),
  from: z.string().max(64),
});

/** The admin HTTP: health, metrics, and the questions that the commands ask. */
export function adminApp(daemon: DaemonApi, guard: RequestGuardOptions): Hono {
  const app = new Hono();
  app.use(guardRequests({ ...guard, onRefused: recordRefusal }));
  const [limit, policyLimit] = [limitBody(MAX_BODY_BYTES), limitBody(MAX_POLICY_BYTES)];
  app.use((context, next) => {
    const { method, path } = context.req;
    return method === 'PUT' && path === '/api/v1/policy' ? policyLimit(context, next) : limit(context, next);
  });

  app.get('/-/healthy', context =>
    daemon.isHealthy() ? context.text('ok\n') : context.text('no data plane worker serves\n', 503),
  );
  app.get('/-/ready', context =>
    daemon.isReady() ? context.text('ready\n') : context.text(`${daemon.status().state}\n`, 503),
  );
  app.post('/-/reload', async context => {
    const outcome = await daemon.reload('http');
    return context.json(outcome, outcome.result === 'failure' ? 422 : 200);
  });
  app.route('/-', handOverRoutes(daemon));
  app.get('/metrics', async context => {
    const { contentType, body } = await daemon.metrics();
    return context.body(body, 200, { 'content-type': contentType });
  });
  app.get('/api/v1/status', context => context.json(daemon.status()));
  app.get('/api/v1/sites', context => {
    const query = readQuery(siteParams(daemon.sourceGroups(), Date.now()), context.req.query());
    if (!query.ok) return context.json({ error: query.error }, 400);
    const { since, newSince, source, verdict, by, limit } = query.value;
    const filter = { sinceMs: since, newSinceMs: newSince, sources: source, verdict };
    const sites = by === 'source' ? daemon.sourceSites(filter) : daemon.sites(filter);
    const page: SitesPage<Site | SourceSite> = {
      gateway: daemon.status().gateway,
      total: sites.length,
      sites: sites.slice(0, limit),
    };
    return context.json(page);
  });
  app.get('/api/v1/trend', async context => {
    const nowMs = Date.now();
    const query = readQuery(trendParams(daemon.sourceGroups(), nowMs), context.req.query());
    if (!query.ok) return context.json({ error: query.error }, 400);
    const { step, since, source, host, port } = query.value;
    const sinceMs = since ?? nowMs - TREND_MS[step];
    const points = await daemon.trend(step, { host, port, sources: source }, sinceMs);
    return context.json({ step, points });
  });
  app.post('/api/v1/sites/reset', context => {
    const [parameter] = Object.keys(context.req.query());
    if (parameter === undefined) return context.json(daemon.resetDiscovery());
    return context.json({ error: `a reset forgets all sites: leave out ${parameter}` }, 400);
  });
  app.get('/api/v1/rules', context => context.body(streamJsonList('rules', daemon.rules()), 200, JSON_TYPE));
  app.get('/api/v1/readiness', async context => {
    const query = readQuery(readinessParams, context.req.query());
    if (!query.ok) return context.json({ error: query.error }, 400);
    return context.json(await daemon.readiness({ ...READINESS_DEFAULTS, ...query.value }));
  });
  app.route('/api/v1', policyRoutes(daemon.changes, guard.token));
  app.post('/api/v1/explain', async context => {
    const body = explainBody.safeParse(await context.req.json().catch(() => null));
    if (!body.success) return context.json({ error: z.prettifyError(body.error) }, 400);
    const address = IpAddress.parse(body.data.host);
    const hostname = address === null ? parseHostname(body.data.host) : null;
    if (hostname?.ok === false)
      return context.json({ error: `host: ${HOSTNAME_FAULTS[hostname.fault]}` }, 400);
    const source = IpAddress.parse(body.data.from);
    if (source === null) return context.json({ error: 'from: no IP address' }, 400);
    const { port } = body.data;
    return context.json(
      await daemon.explain({ hostname: hostname?.hostname ?? null, address, port, source }),
    );
  });

  app.notFound(context =>
    context.json({ error: `no such resource: ${context.req.method} ${context.req.path}` }, 404),
  );
  app.onError((error, context) => {
    daemon.reportFault(`${context.req.method} ${context.req.path}`, error);
    return context.json({ error: error.message }, 500);
  });
  return app;

  function recordRefusal(context: Context, why: string): void {
    daemon.audit.record({
      action: `${context.req.method} ${context.req.path}`,
      dryRun: false,
      result: 'refused',
      refusal: why,
      ...requesterOf(context, guard.token),
      auth: 'none',
      before: null,
      after: null,
      added: 0,
      removed: 0,
      changes: [],
    });
  }
}

function limitBody(maxSize: number): MiddlewareHandler {
  return bodyLimit({
    maxSize,
    onError: context => context.json({ error: `the body is larger than ${maxSize} bytes` }, 413),
  });
}
