import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { Cidr, IpAddress } from '../policy/address.ts';
import { RequestRate } from './request-rate.ts';
import { peerAddress } from './requester.ts';

const MAX_BODY_BYTES = 64 * 1024;
/** Of `PUT /api/v1/policy`: as large as a policy may be. */
const MAX_POLICY_BYTES = 64 * 1024 * 1024;
/** Policies that are received at the same time: each is held whole. */
const MAX_POLICIES = 2;
/** Whoever has one address of IPv6 has a /64, and whoever is on this host has all of 127.0.0.0/8. */
const IPV6_PREFIX = 64;
const LOOPBACK_PREFIX = 104;

/** Holds each peer to a rate of requests. Health is always told: what is flooded is not unhealthy. */
export function limitRate(rate: RequestRate = new RequestRate()): MiddlewareHandler {
  return async (context, next) => {
    const isHealth = context.req.path === '/-/healthy' || context.req.path === '/-/ready';
    const waitSeconds = isHealth ? 0 : rate.take(peerKey(peerAddress(context)));
    if (waitSeconds === 0) return next();
    return context.json({ error: 'too many requests (try again later)' }, 429, {
      'retry-after': String(waitSeconds),
    });
  };
}

/** Holds bodies to a size, and the large ones to a number. */
export function limitBodies(): MiddlewareHandler {
  const [small, large] = [limitBody(MAX_BODY_BYTES), limitBody(MAX_POLICY_BYTES)];
  let receiving = 0;
  return async (context, next) => {
    const { method, path } = context.req;
    if (method !== 'PUT' || path !== '/api/v1/policy') return small(context, next);
    if (receiving >= MAX_POLICIES) {
      return context.json({ error: 'other policies are being received (try again)' }, 503, {
        'retry-after': '1',
      });
    }
    receiving++;
    try {
      return await large(context, next);
    } finally {
      receiving--;
    }
  };
}

function limitBody(maxSize: number): MiddlewareHandler {
  return bodyLimit({
    maxSize,
    onError: context => context.json({ error: `the body is larger than ${maxSize} bytes` }, 413),
  });
}

function peerKey(address: string | null): string {
  const ip = IpAddress.parse(address ?? '');
  if (ip === null) return '';
  if (ip.family === 6) return Cidr.of(ip, IPV6_PREFIX).toString();
  const isLoopback = ip.words[3] >>> 24 === 127;
  return isLoopback ? Cidr.of(ip, LOOPBACK_PREFIX).toString() : ip.toString();
}
