import { type Context, Hono } from 'hono';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { z } from 'zod';
import { READINESS_DEFAULTS } from '../observe/readiness.ts';
import type { Site, SourceSite } from '../observe/site-query.ts';
import { IpAddress } from '../policy/address.ts';
import { parseHostname } from '../policy/hostname.ts';
import { HOSTNAME_FAULTS } from '../tls-sni/index.ts';
import type { DaemonApi, SitesPage } from './daemon-api.ts';
import { streamEvents } from './event-stream.ts';
import { handOverRoutes } from './hand-over-routes.ts';
import { streamJsonList } from './json-list.ts';
import { limitBodies, limitRate } from './limit-requests.ts';
import { policyRoutes } from './policy-routes.ts';
import { readQuery } from './query.ts';
import { readinessParams } from './readiness-params.ts';
import { guardRequests, type RequestGuardOptions } from './request-guard.ts';
import { requesterOf } from './requester.ts';
import { siteParams, trendParams } from './site-params.ts';

/** How much of a trend is shown where nothing is said. */
const TREND_MS = { minute: 3 * 3_600_000, hour: 7 * 24 * 3_600_000 } as const;
/** Of `GET /api/v1/events`. */
const MAX_LISTENERS = 8;
const JSON_TYPE = { 'content-type': 'application/json' };
/** Answers are for the one who asks: no cache keeps them, and no page shows or runs them. */
const SECURITY_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

const explainBody = z.strictObject({
  host: z.string().min(1).max(1024),
  port: z.int().min(1).max(65535).default(443),
  from: z.string().max(64),
  vpcEndpoint: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,128}$/)
    .optional(),
});

/** The admin HTTP: health, metrics, and the questions that the commands ask. */
export function adminApp(daemon: DaemonApi, guard: RequestGuardOptions): Hono {
  const app = new Hono();
  app.use(setHeaders);
  app.use(limitRate());
  app.use(guardRequests(guard, recordRefusal));
  app.use(limitBodies());
  app.use(methodNotAllowed({ app, onMethodNotAllowed: refuseMethod }));

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
  app.get('/api/v1/events', context => {
    const tail = daemon.liveTail();
    if (tail === null) {
      return context.json(
        { error: 'log.level leaves the records of flows out (info lets them through)' },
        409,
      );
    }
    const type = { 'content-type': 'text/event-stream' };
    // Hono answers HEAD as GET, and drops the body without ending it.
    if (context.req.method === 'HEAD') return context.body(null, 200, type);
    if (tail.listeners >= MAX_LISTENERS) {
      return context.json({ error: `${MAX_LISTENERS} listen already` }, 503, { 'retry-after': '10' });
    }
    return context.body(streamEvents(tail), 200, type);
  });
  app.get('/api/v1/readiness', async context => {
    const query = readQuery(readinessParams, context.req.query());
    if (!query.ok) return context.json({ error: query.error }, 400);
    return context.json(await daemon.readiness({ ...READINESS_DEFAULTS, ...query.value }));
  });
  app.route('/api/v1', policyRoutes(daemon.changes, guard.token !== null));
  app.post('/api/v1/explain', async context => {
    const body = explainBody.safeParse(await context.req.json().catch(() => null));
    if (!body.success) return context.json({ error: z.prettifyError(body.error) }, 400);
    const address = IpAddress.parse(body.data.host);
    const hostname = address === null ? parseHostname(body.data.host) : null;
    if (hostname?.ok === false)
      return context.json({ error: `host: ${HOSTNAME_FAULTS[hostname.fault]}` }, 400);
    const source = IpAddress.parse(body.data.from);
    if (source === null) return context.json({ error: 'from: no IP address' }, 400);
    const { port, vpcEndpoint } = body.data;
    return context.json(
      await daemon.explain({ hostname: hostname?.hostname ?? null, address, port, source, vpcEndpoint }),
    );
  });

  app.notFound(context =>
    context.json({ error: `no such resource: ${context.req.method} ${context.req.path}` }, 404),
  );
  app.onError((error, context) => {
    daemon.reportFault(`${context.req.method} ${context.req.path}`, error);
    return context.json({ error: 'a fault of the daemon (its log says more)' }, 500);
  });
  return app;

  function recordRefusal(context: Context, why: string): void {
    daemon.audit.record({
      action: `${context.req.method} ${context.req.path}`,
      dryRun: false,
      result: 'refused',
      refusal: why,
      ...requesterOf(context, guard.token !== null),
      auth: 'none',
      before: null,
      after: null,
      added: 0,
      removed: 0,
      changes: [],
    });
  }
}

async function setHeaders(context: Context, next: () => Promise<void>): Promise<void> {
  await next();
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) context.header(name, value);
}

function refuseMethod(context: Context, methods: readonly string[]): Response {
  const allow = { allow: methods.join(', ') };
  if (context.req.method === 'OPTIONS') return context.body(null, 204, allow);
  return context.json({ error: `${context.req.path} takes ${allow.allow}` }, 405, allow);
}
