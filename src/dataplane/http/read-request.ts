import type { IncomingMessage } from 'node:http';
import { IpAddress } from '../../policy/address.ts';
import { parseHostname } from '../../policy/hostname.ts';
import type { RequestBody } from '../../sniff/http-framing.ts';
import { DEFAULT_HEAD_LIMITS } from '../../sniff/http-head.ts';
import { type HttpRole, judgeRequest } from '../../sniff/http-request.ts';
import type { Target } from '../../sniff/target.ts';
import { pairsOf } from './forwarded-fields.ts';
import type { AskedHost } from './host-verdict.ts';
import type { Objection } from './refusal.ts';

/** What of a request decides where it goes and how it is sent there. */
export interface ReadRequest {
  readonly kind: 'request';
  readonly asked: AskedHost;
  /** The target upstream. */
  readonly path: string;
  /** What the Host line says upstream. */
  readonly authority: string;
  readonly body: RequestBody;
}

/** Holds a request that node:http has framed to the strict rules. */
export function readRequest(
  request: IncomingMessage,
  role: HttpRole,
): ReadRequest | { readonly kind: 'objection'; readonly objection: Objection } {
  const headers = pairsOf(request.rawHeaders);
  if (headers.length >= DEFAULT_HEAD_LIMITS.maxLines) {
    return { kind: 'objection', objection: { reason: 'hello_too_large', detail: null } };
  }
  const { method = '', url = '', httpVersion } = request;
  const judged = judgeRequest({ method, target: url, version: httpVersion, headers }, role);
  if (judged.kind === 'malformed') {
    return { kind: 'objection', objection: { reason: 'malformed_request', detail: judged.reason } };
  }
  const { path, authority, body, target } = judged;
  return { kind: 'request', asked: askedOf(target), path, authority, body };
}

/** The sniffers have checked the grammar of both forms. */
function askedOf(target: Target): AskedHost {
  if (target.kind === 'address') {
    return { hostname: null, address: IpAddress.parse(target.ip), port: target.port };
  }
  const parsed = parseHostname(target.hostname);
  return { hostname: parsed.ok ? parsed.hostname : null, address: null, port: target.port };
}
