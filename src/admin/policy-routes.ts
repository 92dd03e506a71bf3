import { type Context, Hono } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { z } from 'zod';
import type { PolicyChange } from '../config/plan-change.ts';
import type { ChangeOutcome, PolicyChanges, Refusal } from './policy-changes.ts';
import { requesterOf } from './requester.ts';

const text = z.string().min(1).max(256);
const hosts = z.array(z.string().min(1).max(1024)).min(1).max(1_000);

const modeBody = z.strictObject({
  mode: z.enum(['observe', 'enforce']),
  source: text.nullable().default(null),
  until: text.nullable().default(null),
  force: z.boolean().default(false),
});

const hostsBody = z.strictObject({
  hosts,
  rule: text.nullable().default(null),
  ports: z.array(z.int().min(1).max(65535)).min(1).max(100).nullable().default(null),
  from: z.array(text).min(1).max(100).nullable().default(null),
  until: text.nullable().default(null),
  remove: z.boolean().default(false),
});

const STATUSES: Readonly<Record<Refusal, ContentfulStatusCode>> = {
  invalid: 422,
  not_loaded: 422,
  missing: 404,
  changed: 412,
  busy: 503,
  unwritable: 409,
  not_ready: 409,
};

/**
 * The policy as it lies on the disk, and the ways to change it. `?dryRun=true` works a change out and writes nothing;
 * `?force=true` replaces it by one that enforces although readiness says no; `If-Match` holds it to the policy that was looked at, and is needed to replace one.
 */
export function policyRoutes(changes: PolicyChanges, wantsToken: boolean): Hono {
  const routes = new Hono();

  routes.get('/policy', async context => {
    const name = context.req.query('file');
    const read = await changes.read();
    if (!read.ok) return context.json({ error: read.error }, 404);
    if (name === undefined && read.isDirectory) {
      const files = read.files.map(({ bytes, ...file }) => ({ ...file, bytes: bytes.length }));
      return context.json({ sha256: read.sha256, files }, 200, { etag: `"${read.sha256}"` });
    }
    const file = read.files.find(each => name === undefined || each.name === name);
    if (file === undefined)
      return context.json({ error: `the policy has no file ${JSON.stringify(name)}` }, 404);
    const headers = { 'content-type': 'application/yaml; charset=utf-8', etag: `"${file.sha256}"` };
    return context.body(Uint8Array.from(file.bytes), 200, headers);
  });

  routes.put('/policy', async context => {
    if (context.req.header('if-match') === undefined) {
      const error = 'If-Match is needed: the ETag of the policy that this one replaces (GET /api/v1/policy)';
      return context.json({ error }, 428);
    }
    const force = readFlag(context, 'force');
    if (force === null) return context.json({ error: 'force: write true or false' }, 400);
    const body = decoded(await context.req.arrayBuffer());
    if (body === null) return context.json({ error: 'the body is not UTF-8 text' }, 400);
    return answer(context, { kind: 'replace', file: context.req.query('file') ?? null, text: body }, force);
  });

  routes.post('/mode', async context => {
    const body = modeBody.safeParse(await context.req.json().catch(() => null));
    if (!body.success) return context.json({ error: z.prettifyError(body.error) }, 400);
    const { force, ...edit } = body.data;
    return answer(context, { kind: 'mode', ...edit }, force);
  });

  for (const action of ['allow', 'deny'] as const) {
    routes.post(`/${action}`, async context => {
      const body = hostsBody.safeParse(await context.req.json().catch(() => null));
      if (!body.success) return context.json({ error: z.prettifyError(body.error) }, 400);
      const { remove, ...edit } = body.data;
      if (!remove) return answer(context, { kind: 'add', action, ...edit }, false);
      if (edit.ports !== null || edit.from !== null || edit.until !== null) {
        return context.json({ error: 'ports, from and until do not go with remove' }, 400);
      }
      return answer(context, { kind: 'remove', action, hosts: edit.hosts, rule: edit.rule }, false);
    });
  }

  async function answer(context: Context, change: PolicyChange, force: boolean): Promise<Response> {
    const dryRun = readFlag(context, 'dryRun');
    if (dryRun === null) return context.json({ error: 'dryRun: write true or false' }, 400);
    const outcome = await changes.change(change, {
      ifMatch: parseIfMatch(context.req.header('if-match')),
      dryRun,
      force,
      by: requesterOf(context, wantsToken),
    });
    return context.json(withError(outcome), outcome.result === 'refused' ? STATUSES[outcome.refusal] : 200);
  }

  return routes;
}

/** A parameter that is true or, where it is absent, false; null: it is neither. */
function readFlag(context: Context, name: string): boolean | null {
  const text = context.req.query(name) ?? 'false';
  return text === 'true' || text === 'false' ? text === 'true' : null;
}

function decoded(bytes: ArrayBuffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** As all errors are answered. */
function withError(outcome: ChangeOutcome): ChangeOutcome & { readonly error?: string } {
  return outcome.result === 'refused'
    ? { error: outcome.errors.at(-1) ?? outcome.refusal, ...outcome }
    : outcome;
}

/** RFC 9110 §13.1.1: a list of strong ETags, ours being hashes; `*` is any, and weak ones match none. Null: any. */
function parseIfMatch(header: string | undefined): readonly string[] | null {
  if (header === undefined || header.trim() === '*') return null;
  return [...header.matchAll(/(?<!W\/)"([0-9a-f]{64})"/g)].map(([, hash = '']) => hash);
}
