/**
 * Why a flow was not plainly allowed: the closed list behind `reason` in logs and metrics. One table, from which
 * the type, the documentation and `explain` come.
 */
export const REASONS = {
  not_allowed: 'no allow rule matches the hostname, port and source',
  rule_denied: 'a deny rule matches',
  no_hostname: 'the client named no host (no SNI, or an IP literal as the CONNECT or SOCKS target)',
  client_closed: 'the client left before it had named a host',
  drained: 'the daemon, or the worker of the flow, ended before the client had named a host',
  malformed_hello: 'the TLS ClientHello breaks its grammar, or names a host in a form that is no hostname',
  malformed_request: 'the HTTP, SOCKS or PostgreSQL request breaks its grammar',
  malformed_proxy_header:
    'a trusted peer sent a malformed PROXY protocol header, or none where proxyProtocol: require asks for one',
  untrusted_peer:
    'the listener has proxyProtocol: require, and the peer is none of those in its trusted list',
  hello_timeout: 'the client did not finish its hello or request in time (limits.helloTimeout)',
  hello_too_large: 'the hello or request is larger than allowed (limits.helloBytes)',
  not_tls: 'the client spoke neither TLS nor plain HTTP, or plain HTTP inside a tunnel',
  ech: 'the hello carries Encrypted Client Hello and the policy says ech: deny',
  name_mismatch:
    'the TLS hello names another host than the CONNECT or SOCKS request, or than the first hello',
  destination_forbidden:
    'every address of the destination is guarded (loopback, metadata, private, own listener)',
  destination_mismatch: 'the address the client dialled is none that the hostname resolves to',
  unresolvable: 'the hostname did not resolve',
  source_limit: 'the source already has limits.flowsPerSource open flows',
  flow_limit: 'limits.flows open flows were reached',
  undecided_source_limit:
    'the source already has limits.undecidedPerSource connections whose hello or request has not come',
  dns_limit:
    'the source asks for new names faster than limits.lookupsPerSource allows, or too many of its lookups wait',
  undecided_limit: 'there are limits.undecided connections whose hello or request has not come',
} as const;

export type Reason = keyof typeof REASONS;

/** The reasons that say that something has run out, not that a flow was wrong. */
export const LIMIT_REASONS = [
  'source_limit',
  'flow_limit',
  'undecided_source_limit',
  'undecided_limit',
  'dns_limit',
] as const satisfies readonly Reason[];

export type LimitReason = (typeof LIMIT_REASONS)[number];

export function isLimit(reason: Reason): reason is LimitReason {
  return LIMIT_REASONS.some(limit => limit === reason);
}
