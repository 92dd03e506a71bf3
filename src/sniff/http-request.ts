import { HOSTNAME_FAULTS } from '../tls-sni/hostname.ts';
import { type Authority, type AuthorityFault, readAuthority } from './http-authority.ts';
import { listOf, valuesOf } from './http-fields.ts';
import { FRAMING_FAULTS, type RequestBody, readFraming } from './http-framing.ts';
import type { HeaderField } from './http-line.ts';
import { otherProtocols } from './http2-offer.ts';
import type { Target } from './target.ts';

/** Why a request head that parsed names no host that all servers would agree on: the closed list behind `reason`. */
export const HTTP_REQUEST_FAULTS = {
  version: 'the version is neither HTTP/1.0 nor HTTP/1.1',
  'http2-preface': 'the connection preface of HTTP/2 (RFC 9113 §3.4): its requests cannot be seen one by one',
  connect: 'a CONNECT where only requests are served',
  'target-form': 'the target is neither a path nor an absolute http URL where one of them belongs',
  'target-scheme': 'the target is an absolute URL of another scheme than http',
  'target-userinfo': 'the target holds a user name before an @ (RFC 9110 §4.2.4)',
  'host-missing': 'no Host line, and no absolute target in an HTTP/1.0 request (RFC 9112 §3.2)',
  'host-duplicate': 'more than one Host line (RFC 9112 §3.2)',
  'host-differs': 'the Host line names another host or port than the target',
  'port-differs': 'the Host line or the target names another port than the client has dialled',
  'authority-port': 'the port of the Host line or the target is empty or no plain number from 1 to 65535',
  'authority-address': 'brackets around something that is no IPv6 address',
  'field-byte': 'a control character other than a tab inside a header line',
  'upgrade-body': 'an upgrade in a request with a body, or in HTTP/1.0 (RFC 9110 §7.8)',
  ...FRAMING_FAULTS,
  ...HOSTNAME_FAULTS,
} as const;

export type HttpRequestFault = keyof typeof HTTP_REQUEST_FAULTS;

/** A parsed request head. `version` is what follows `HTTP/`; the fields are as on the wire. */
export interface HttpRequestHead {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly headers: readonly HeaderField[];
}

/** What the client takes us for: the server that it has dialled on `port`, or a proxy that it names the server to. */
export type HttpRole = { readonly kind: 'server'; readonly port: number } | { readonly kind: 'proxy' };

export type HttpRequestResult =
  | {
      readonly kind: 'request';
      readonly target: Target;
      /** What the Host line upstream says. */
      readonly authority: string;
      /** The target upstream: a path with its query, or `*`. */
      readonly path: string;
      readonly body: RequestBody;
    }
  | { readonly kind: 'malformed'; readonly reason: HttpRequestFault };

const HTTP_PORT = 80;
// biome-ignore lint/suspicious/noControlCharactersInRegex: that none is there is the point
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;
const SCHEME = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//;

/**
 * Tells the one host and port that a request is for. Stricter than servers are: whatever two of them could read in two
 * ways (two Host lines, a Host line beside another target, two lengths) is malformed.
 */
export function judgeRequest(head: HttpRequestHead, role: HttpRole): HttpRequestResult {
  const fault = openingFault(head);
  if (fault !== null) return malformed(fault);
  const body = readFraming(head.version, head.headers);
  if (isFault(body, FRAMING_FAULTS)) return malformed(body);
  const upgrade = upgradeFault(head, body);
  if (upgrade !== null) return malformed(upgrade);
  const target = readTarget(head, role);
  if (typeof target === 'string') return malformed(target);
  const hosts = valuesOf(head.headers, 'host');
  if (hosts.length > 1) return malformed('host-duplicate');
  const host = readHost(hosts[0], head, target);
  if (typeof host === 'string') return malformed(host);
  const port = role.kind === 'server' ? role.port : (host.port ?? HTTP_PORT);
  if ((host.port ?? defaultPort(target, port)) !== port) return malformed('port-differs');
  return {
    kind: 'request',
    target:
      host.kind === 'name'
        ? { kind: 'name', hostname: host.host, port }
        : { kind: 'address', ip: host.host, port },
    authority: hosts[0] ?? target.authority ?? '',
    path: target.path,
    body,
  };
}

interface RequestTarget {
  readonly path: string;
  /** Of an absolute target; null of a path. */
  readonly authority: string | null;
}

function openingFault({ method, target, version, headers }: HttpRequestHead): HttpRequestFault | null {
  if (method === 'PRI' && target === '*') return 'http2-preface';
  if (version !== '1.1' && version !== '1.0') return 'version';
  if (method === 'CONNECT') return 'connect';
  return headers.some(([, value]) => CONTROL.test(value)) ? 'field-byte' : null;
}

function readTarget({ method, target }: HttpRequestHead, role: HttpRole): RequestTarget | HttpRequestFault {
  if (role.kind === 'server') {
    if (target.startsWith('/')) return { path: target, authority: null };
    if (target === '*') return method === 'OPTIONS' ? { path: '*', authority: null } : 'target-form';
  }
  const scheme = SCHEME.exec(target);
  if (scheme === null) return 'target-form';
  if (scheme[1]?.toLowerCase() !== 'http') return 'target-scheme';
  const start = scheme[0].length;
  const length = target.slice(start).search(/[/?#]/);
  const end = length < 0 ? target.length : start + length;
  const authority = target.slice(start, end);
  if (authority.includes('@')) return 'target-userinfo';
  return { authority, path: pathOf(target.slice(end), method) };
}

/** RFC 9112 §3.2.1 and §3.2.4: an empty path is `/`, or `*` where OPTIONS asks about the server. */
function pathOf(rest: string, method: string): string {
  if (rest === '') return method === 'OPTIONS' ? '*' : '/';
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** Reads the Host line and holds it against an absolute target, which it must repeat. */
function readHost(
  line: string | undefined,
  { version }: HttpRequestHead,
  { authority }: RequestTarget,
): Authority | HttpRequestFault {
  if (line === undefined && (version === '1.1' || authority === null)) return 'host-missing';
  const host: Authority | AuthorityFault = readAuthority(line ?? authority ?? '');
  if (typeof host === 'string' || authority === null || line === undefined) return host;
  const target = readAuthority(authority);
  if (typeof target === 'string') return target;
  const isSame =
    host.host.toLowerCase() === target.host.toLowerCase() &&
    (host.port ?? HTTP_PORT) === (target.port ?? HTTP_PORT);
  return isSame ? target : 'host-differs';
}

/** A Host line without a port means the port that was dialled, an absolute target without one means 80. */
function defaultPort({ authority }: RequestTarget, dialled: number): number {
  return authority === null ? dialled : HTTP_PORT;
}

function upgradeFault({ version, headers }: HttpRequestHead, body: RequestBody): HttpRequestFault | null {
  if (otherProtocols(headers).length === 0) return null;
  const options = listOf(valuesOf(headers, 'connection')).map(option => option.toLowerCase());
  const isUpgrade = options.includes('upgrade');
  return isUpgrade && (version === '1.0' || body !== 'none') ? 'upgrade-body' : null;
}

function isFault<F extends string>(value: string, faults: Readonly<Record<F, string>>): value is F {
  return Object.hasOwn(faults, value);
}

function malformed(reason: HttpRequestFault): HttpRequestResult {
  return { kind: 'malformed', reason };
}
