import type { SourceSite } from '../observe/site-query.ts';
import { IpAddress } from '../policy/address.ts';
import type { State } from '../policy/decision.ts';
import type { SeenFlow } from '../policy/seen-flow.ts';

/**
 * What the daemon has counted of one source at one site, as flows, as far as the counts tell. They do not tell which
 * reason went with which verdict where there are several: what did not resolve is taken from the allowed flows first,
 * and of several reasons the one that was given most stands for all.
 */
export function flowsOfSite(site: SourceSite): SeenFlow[] {
  const { states, reasons } = site;
  let unresolvable = reasons.unresolvable ?? 0;
  const flows: SeenFlow[] = [];
  for (const state of ['MATCHED', 'NO_MATCH', 'DENIED'] as const) {
    const lost = state === 'DENIED' ? 0 : Math.min(unresolvable, states[state]);
    unresolvable -= lost;
    flows.push(...inTime(site, state, 'unresolvable', lost));
    flows.push(...inTime(site, state, reasonOf(site, state), states[state] - lost));
  }
  return flows;
}

/** One flow when the site was last seen, the others when it was first. */
function inTime(site: SourceSite, state: State, reason: string | null, flows: number): SeenFlow[] {
  if (flows <= 0) return [];
  const isAddress = IpAddress.parse(site.host) !== null;
  const flow: SeenFlow = {
    timeMs: site.lastSeenMs,
    source: site.source,
    destination: isAddress ? site.host : null,
    hostname: isAddress ? null : site.host,
    port: site.port,
    state,
    action: null,
    reason,
    rule: site.lastRule,
    ech: false,
    flows: 1,
  };
  return flows === 1 ? [flow] : [flow, { ...flow, timeMs: site.firstSeenMs, flows: flows - 1 }];
}

function reasonOf({ reasons }: SourceSite, state: State): string | null {
  if (state === 'MATCHED') return null;
  const given = Object.entries(reasons).filter(
    ([reason]) => reason !== 'unresolvable' && isOf(state, reason),
  );
  return given.sort(([, a], [, b]) => b - a)[0]?.[0] ?? null;
}

/** Whether a reason goes with a verdict: `not_allowed` is no denial, and the others may be. */
function isOf(state: State, reason: string): boolean {
  return state === 'NO_MATCH' ? reason !== 'rule_denied' : reason !== 'not_allowed';
}
