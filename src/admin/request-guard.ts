import { timingSafeEqual } from 'node:crypto';
import type { Context, MiddlewareHandler } from 'hono';

export interface RequestGuardOptions {
  /** The admin address is loopback: then only this host can ask, but a browser on it must not be made to. */
  readonly isLoopback: boolean;
  /** What a bearer must present to change state; null: none is configured. */
  readonly token: string | null;
  /** Hears of each request to change something that was refused, and why. */
  readonly onRefused?: (context: Context, why: string) => void;
}

const LOOPBACK_HOST = /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d{1,5})?$/i;
const READING = new Set(['GET', 'HEAD']);

/**
 * Refuses what a web page could make a browser send: a foreign `Host` (DNS rebinding) on a loopback address, a foreign
 * `Origin` anywhere. What changes state needs the token when one is configured, and always off loopback.
 */
export function guardRequests({ isLoopback, token, onRefused }: RequestGuardOptions): MiddlewareHandler {
  return async (context, next) => {
    const host = context.req.header('host') ?? '';
    const origin = context.req.header('origin');
    const refuse = (error: string, status: 401 | 403) => {
      if (!READING.has(context.req.method)) onRefused?.(context, error);
      return context.json({ error }, status);
    };
    if (isLoopback && !LOOPBACK_HOST.test(host)) {
      return refuse('the Host header names another host (ask localhost or 127.0.0.1)', 403);
    }
    if (origin !== undefined && origin !== `http://${host}`) {
      return refuse('cross-origin requests are refused', 403);
    }
    if (!READING.has(context.req.method) && !mayChange(context.req.header('authorization'))) {
      return refuse(refusal(), token === null ? 403 : 401);
    }
    return next();
  };

  function mayChange(authorization: string | undefined): boolean {
    if (token === null) return isLoopback;
    return authorization !== undefined && sameText(authorization, `Bearer ${token}`);
  }

  function refusal(): string {
    return token === null
      ? 'off loopback, changes need a token (set admin.tokenFile)'
      : 'a bearer token is needed (--token-file, or SALLYPORT_TOKEN)';
  }
}

/** Compares in a time that tells nothing but the length. */
function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
