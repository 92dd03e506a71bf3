import type { Policy } from '../policy/policy.ts';
import type { FlowRecorder } from './flow-recorder.ts';
import type { Guard } from './world.ts';

/**
 * Whether a policy would refuse a flow that an earlier one let pass: by name, port and source, for its Encrypted Client
 * Hello, or because its address is private. Never where the policy only observes.
 */
export function isDeniedNow(policy: Policy, guard: Guard, flow: FlowRecorder, nowMs: number): boolean {
  const { hostname, dstPort: port, dstIp, client } = flow;
  const ruling = policy.decide({ hostname, port, source: client.ip, nowMs });
  if (ruling.mode === 'observe') return false;
  if (ruling.reason !== null || (flow.ech && ruling.ech !== 'outer')) return true;
  return dstIp !== null && !ruling.allowPrivate && guard.judge(dstIp) === 'private';
}
