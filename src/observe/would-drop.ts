import { IpAddress } from '../policy/address.ts';
import { parseHostname } from '../policy/hostname.ts';
import type { Policy } from '../policy/policy.ts';
import { LIMIT_REASONS, type Reason } from '../policy/reason.ts';
import { TcpAddresses } from '../policy/tcp-addresses.ts';
import type { SiteCount } from './flow-tally.ts';
import { flowsOf } from './site-query.ts';

/** How many flows of a row enforce would drop, and what for. */
export interface WouldDrop {
  readonly flows: number;
  readonly reason: Reason;
}

/** What ends a flow in either mode, so that enforce changes nothing. */
const EITHER_MODE = [
  'client_closed',
  'drained',
  'unresolvable',
  ...LIMIT_REASONS,
] as const satisfies readonly Reason[];
/** What speaks against a flow whatever the rules say. */
const GUARDS = [
  'no_hostname',
  'malformed_hello',
  'malformed_request',
  'hello_timeout',
  'hello_too_large',
  'not_tls',
  'name_mismatch',
  'destination_mismatch',
] as const satisfies readonly Reason[];

/**
 * Holds what one source did at a site against the policy of now, whatever it was judged by then: a rule that was added
 * since lets its flows pass, one that went drops them. What guards found is taken as it was recorded. Null: nothing.
 */
export function wouldDrop(count: SiteCount, policy: Policy, nowMs: number): WouldDrop | null {
  const source = IpAddress.parse(count.source);
  if (source === null) return null;
  const parsed = parseHostname(count.host);
  const hostname = parsed.ok ? parsed.hostname : null;
  const address = hostname === null ? IpAddress.parse(count.host) : null;
  const query = { hostname, address, port: count.port, source, nowMs };
  const tcp = policy.decideTcp(query, TcpAddresses.none());
  const named = policy.decide(query);
  const ruling = tcp === null || named.state === 'DENIED' ? named : tcp;
  const flows = flowsOf(count) - sumOf(count, EITHER_MODE);
  if (ruling.reason !== null) return flows > 0 ? { flows, reason: ruling.reason } : null;
  const found: [Reason, number][] = [
    ['ech', ruling.ech === 'outer' || ruling === tcp ? 0 : count.ech],
    // What is denied while only watching is dropped in either mode.
    [
      'destination_forbidden',
      ruling.allowPrivate
        ? 0
        : Math.min(count.reasons.destination_forbidden ?? 0, count.actions['would-deny']),
    ],
    // Under a tcp rule nobody looks at what is said on the wire.
    ...(ruling === tcp ? [] : guardsOf(count)),
  ];
  const dropped = found.reduce((sum, [, flows]) => sum + flows, 0);
  const [reason] = found.reduce((most, next) => (next[1] > most[1] ? next : most));
  return dropped > 0 && flows > 0 ? { flows: Math.min(dropped, flows), reason } : null;
}

function guardsOf(count: SiteCount): [Reason, number][] {
  return [
    ...GUARDS.map((reason): [Reason, number] => [reason, count.reasons[reason] ?? 0]),
    ['name_mismatch', count.switched],
  ];
}

function sumOf(count: SiteCount, reasons: readonly Reason[]): number {
  return reasons.reduce((sum, reason) => sum + (count.reasons[reason] ?? 0), 0);
}
