import type { Context, HonoRequest, MiddlewareHandler } from 'hono';
import { IpAddress } from '../policy/address.ts';
import type { TokenFile } from './bearer-token.ts';

export interface RequestGuardOptions {
  /** The admin address is loopback: then only this host can ask, but a browser on it must not be made to. */
  readonly isLoopback: boolean;
  /** Names besides `localhost` by which this address may be asked. */
  readonly hostnames: readonly string[];
  /** What a bearer must present; null: none is configured. */
  readonly token: TokenFile | null;
  /** What wants the token: changes, or everything but health. */
  readonly tokenFor: 'changes' | 'all';
}

const LOOPBACK = /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/;
const READING = new Set(['GET', 'HEAD', 'OPTIONS']);
/** A POST that changes nothing. */
const QUESTION = '/api/v1/explain';
/** Load balancers and orchestrators have no token. */
const HEALTH = new Set(['/-/healthy', '/-/ready']);
const JSON_TYPE = /^application\/json *(;|$)/i;

/**
 * Refuses what a web page could make a browser send: a foreign `Host` (DNS rebinding), a foreign `Origin` or
 * `Sec-Fetch-Site`, a form (CSRF). What changes state needs the token when one is configured, and always off loopback.
 * `onRefused` hears of each request to change something that was refused, and why.
 */
export function guardRequests(
  { isLoopback, hostnames, token, tokenFor }: RequestGuardOptions,
  onRefused: (context: Context, why: string) => void,
): MiddlewareHandler {
  const known = new Set(['localhost', ...hostnames]);
  return async (context, next) => {
    const { method, path } = context.req;
    const isReading = READING.has(method) || (method === 'POST' && path === QUESTION);
    const fault = faultOf(context) ?? (await tokenFault(context, isReading, path));
    if (fault === null) return next();
    if (!isReading) onRefused(context, fault.error);
    if (fault.status === 401) context.header('www-authenticate', 'Bearer realm="sallyport"');
    return context.json({ error: fault.error }, fault.status);
  };

  function faultOf({ req }: Context): Fault | null {
    const host = req.header('host') ?? '';
    // Of a target in absolute form, the host counts (RFC 9112 §3.2.2).
    if (!isOurs(host) || !isOurs(new URL(req.url).host)) return { status: 403, error: hostFault(isLoopback) };
    const origin = req.header('origin');
    if (origin !== undefined && origin !== `http://${host}`) return CROSS_ORIGIN;
    const site = req.header('sec-fetch-site');
    if (site !== undefined && site !== 'same-origin' && site !== 'none') return CROSS_ORIGIN;
    return req.method === 'POST' && !hasOurType(req) ? NO_JSON : null;
  }

  function isOurs(host: string): boolean {
    const [, name, v6] = /^(?:([a-z0-9._-]+)|\[([0-9a-f:.]+)\])(?::\d{1,5})?$/i.exec(host) ?? [];
    const text = (name ?? v6 ?? '').toLowerCase();
    if (known.has(text)) return true;
    // A page can make its own name lead here, but no address: what is asked for by address came from no other site.
    return isLoopback ? LOOPBACK.test(text) || text === '::1' : IpAddress.parse(text) !== null;
  }

  async function tokenFault(context: Context, isReading: boolean, path: string): Promise<Fault | null> {
    if (isReading && (tokenFor === 'changes' || HEALTH.has(path))) return null;
    if (token === null) return isLoopback ? null : { status: 403, error: NO_TOKEN };
    const verdict = await token.verify(context.req.header('authorization'));
    switch (verdict) {
      case 'accepted':
        return null;
      case 'refused':
        return { status: 401, error: 'a bearer token is needed (--token-file, or SALLYPORT_TOKEN)' };
      case 'unusable':
        return { status: 503, error: 'admin.tokenFile cannot be used (the log of the daemon says why)' };
      default:
        return verdict satisfies never;
    }
  }
}

interface Fault {
  readonly status: 401 | 403 | 415 | 503;
  readonly error: string;
}

const CROSS_ORIGIN: Fault = { status: 403, error: 'cross-origin requests are refused' };
const NO_JSON: Fault = { status: 415, error: 'the body must be JSON (content-type: application/json)' };
const NO_TOKEN = 'off loopback, changes need a token (set admin.tokenFile)';

function hostFault(isLoopback: boolean): string {
  return isLoopback
    ? 'the Host header names another host (ask localhost or 127.0.0.1, or list the name in admin.hostnames)'
    : 'the Host header names another host (ask by address, or list the name in admin.hostnames)';
}

/**
 * JSON, or nothing at all. What a form or a script without a preflight can send is of another type (Fetch standard,
 * CORS-safelisted request header); it is refused even when it is empty, for the request alone may be what it is after.
 */
function hasOurType(req: HonoRequest): boolean {
  const type = req.header('content-type');
  if (type !== undefined) return JSON_TYPE.test(type);
  return (req.header('content-length') ?? '0') === '0' && req.header('transfer-encoding') === undefined;
}
