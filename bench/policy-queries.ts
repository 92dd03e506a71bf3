import { IpAddress } from '../src/policy/address.ts';
import { parseHostname } from '../src/policy/hostname.ts';
import type { PolicyQuery } from '../src/policy/policy.ts';
import { hostnameOf, type PolicyShape, sourceOf } from './policy-texts.ts';

/** So many are asked in turn: more than the caches hold, as on a gateway. */
const QUERIES = 4_096;

/** What flows ask of a policy: three in four names are allowed, spread over all rules. */
export function queriesFor(shape: PolicyShape): PolicyQuery[] {
  return Array.from({ length: QUERIES }, (_, i) => {
    const rule = Math.floor((i / QUERIES) * shape.rules);
    const parsed = parseHostname(i % 4 === 3 ? `no-${hostnameOf(rule)}.test` : hostnameOf(rule));
    const source = IpAddress.parse(sourceOf(rule, shape));
    if (!parsed.ok || source === null) throw new Error(`no query for rule ${rule}`);
    return { hostname: parsed.hostname, port: 443, source, nowMs: 0 };
  });
}
