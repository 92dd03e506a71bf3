import type { Check } from './check.ts';
import { difference } from './compare.ts';
import type { Kernel, Ran } from './kernel.ts';
import { isList, isRecord, parseJson } from './kernel-json.ts';
import type { Json } from './nft.ts';
import type { Plan } from './plan.ts';
import { familyFlag, ROUTING, routingFamilies } from './policy-routing.ts';
import { listing, TABLE } from './render.ts';
import { buildRuleset } from './ruleset.ts';
import { settingChecks } from './setting-checks.ts';

const LOAD = 'load what sallyport netfilter --format script prints';

/** Whether the running kernel does what the plan says. Changes nothing. */
export async function runChecks(plan: Plan, kernel: Kernel): Promise<Check[]> {
  return [
    await tableCheck(plan, kernel),
    ...(await routingChecks(plan, kernel)),
    ...(await settingChecks(plan, kernel)),
  ];
}

async function tableCheck(plan: Plan, kernel: Kernel): Promise<Check> {
  const name = `table inet ${TABLE}`;
  const { ok, stdout, complaint } = await kernel.run('nft', ['-j', 'list', 'table', 'inet', TABLE]);
  if (!ok) return { name, status: 'fail', ...explainNft(complaint) };
  const document = parseJson(stdout);
  const objects = isRecord(document) ? (document.nftables ?? null) : null;
  const loaded = isList(objects) ? objects : [];
  const chains = buildRuleset(plan);
  const found = difference(listing(chains), loaded);
  if (found !== null) return { name, status: 'fail', message: found, fix: LOAD };
  const rules = chains.reduce((sum, chain) => sum + chain.rules.length, 0);
  return { name, status: 'ok', message: `loaded: ${chains.length} chains, ${rules} rules`, fix: null };
}

function explainNft(complaint: string): { message: string; fix: string } {
  if (complaint.includes('No such file')) return { message: 'is not loaded', fix: LOAD };
  if (complaint.includes('not permitted')) {
    return { message: 'cannot be read: not permitted', fix: 'run the check as root, or with CAP_NET_ADMIN' };
  }
  return { message: complaint, fix: 'install nftables, and run the check as root' };
}

async function routingChecks(plan: Plan, kernel: Kernel): Promise<Check[]> {
  const checks: Check[] = [];
  for (const family of routingFamilies(plan)) {
    const { rule, route } = ROUTING;
    const flag = familyFlag(family);
    const rules = await kernel.run('ip', ['-j', flag, ...rule.show]);
    const routes = await kernel.run('ip', ['-j', flag, ...route.show]);
    checks.push(
      routingCheck(`ip ${flag} rule`, rules, rule.isIt, 'marked packets are looked up in their own table'),
      routingCheck(`ip ${flag} route`, routes, route.isIt, 'that table delivers them to this host'),
    );
  }
  return checks;
}

/** A table without a route is an error for ip, and no routing for us. */
function routingCheck(name: string, ran: Ran, isIt: (entry: Json) => boolean, meaning: string): Check {
  const list = parseJson(ran.stdout);
  if (isList(list) && list.some(isIt)) return { name, status: 'ok', message: meaning, fix: null };
  if (ran.isMissing) return { name, status: 'fail', message: ran.complaint, fix: 'install iproute2' };
  return { name, status: 'fail', message: 'is missing: tproxy needs policy routing', fix: LOAD };
}
