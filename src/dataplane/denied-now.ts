import { decideDestination } from '../policy/decide-destination.ts';
import type { Policy } from '../policy/policy.ts';
import type { FlowRecorder } from './flow-recorder.ts';
import type { Objection } from './judgement.ts';
import type { World } from './world.ts';

/**
 * What a policy says against a flow that an earlier one let pass: by name, port and source, by its address, for its
 * Encrypted Client Hello, or because its address is private. Null for nothing, and where the policy only observes.
 */
export function objectionNow(
  policy: Policy,
  { guard, tcpAddresses }: Pick<World, 'guard' | 'tcpAddresses'>,
  flow: FlowRecorder,
  nowMs: number,
): Objection | null {
  const { hostname, dstPort: port, dstIp, client } = flow;
  const query = { hostname, address: dstIp, port, source: client.ip, vpcEndpoint: client.vpcEndpoint, nowMs };
  const known = tcpAddresses();
  const isTcp = flow.protocol === 'tcp';
  const ruling = isTcp ? decideDestination(policy, query, known) : policy.decide(query);
  if (ruling.mode === 'observe') return null;
  if (ruling.reason !== null) return { reason: ruling.reason, state: ruling.state };
  if (flow.ech && ruling.ech !== 'outer') return { reason: 'ech', state: 'DENIED' };
  if (policy.decideTcp({ ...query, hostname: null }, known)?.state === 'DENIED')
    return { reason: 'rule_denied', state: 'DENIED' };
  const isForbidden = dstIp !== null && !ruling.allowPrivate && guard.judge(dstIp) === 'private';
  return isForbidden ? { reason: 'destination_forbidden', state: 'DENIED' } : null;
}
