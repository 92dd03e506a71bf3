import { decideDestination } from '../policy/decide-destination.ts';
import type { Policy } from '../policy/policy.ts';
import type { FlowRecorder } from './flow-recorder.ts';
import type { World } from './world.ts';

/**
 * Whether a policy would refuse a flow that an earlier one let pass: by name, port and source, by its address, for its
 * Encrypted Client Hello, or because its address is private. Never where the policy only observes.
 */
export function isDeniedNow(
  policy: Policy,
  { guard, tcpAddresses }: Pick<World, 'guard' | 'tcpAddresses'>,
  flow: FlowRecorder,
  nowMs: number,
): boolean {
  const { hostname, dstPort: port, dstIp, client } = flow;
  const query = { hostname, address: dstIp, port, source: client.ip, nowMs };
  const known = tcpAddresses();
  const isTcp = flow.protocol === 'tcp';
  const ruling = isTcp ? decideDestination(policy, query, known) : policy.decide(query);
  if (ruling.mode === 'observe') return false;
  if (ruling.reason !== null || (flow.ech && ruling.ech !== 'outer')) return true;
  if (policy.decideTcp({ ...query, hostname: null }, known)?.state === 'DENIED') return true;
  return dstIp !== null && !ruling.allowPrivate && guard.judge(dstIp) === 'private';
}
