import type { Ruling } from './decision.ts';
import type { KnownAddresses, Policy, TcpQuery } from './policy.ts';

/**
 * What a policy says of a destination that a client asks for itself, by rules of either kind: a deny rule wins, then a
 * tcp rule, which needs nothing on the wire, then a named one.
 */
export function decideDestination(policy: Policy, query: TcpQuery, known: KnownAddresses): Ruling {
  const named = policy.decide(query);
  return (named.state === 'DENIED' ? null : policy.decideTcp(query, known)) ?? named;
}
