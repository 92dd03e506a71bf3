import type { Location, ParsedPolicy } from '../policy/rules.ts';
import { findBucketHosts } from './bucket-hosts.ts';
import type { Diagnostic } from './diagnostics.ts';
import { indexesInFiles, indexUses } from './rule-uses.ts';
import { findShadowedBlocks } from './shadowed-blocks.ts';
import { findDuplicates, findShadowed } from './shadowed-rules.ts';

const DAY_MS = 24 * 3_600_000;
/** A rule that ends sooner is told of: enough to notice, ask and extend. */
const SOON_MS = 14 * DAY_MS;

/** What loads but is hardly meant. Takes time near linear in the number of hosts. */
export function policyWarnings(policy: ParsedPolicy, nowMs: number): Diagnostic[] {
  const uses = indexUses(policy, 'named');
  const tcpUses = indexUses(policy, 'tcp');
  return [
    ...findUnusedGroups(policy),
    ...findEndingRules(policy, nowMs),
    ...findDuplicates(uses),
    ...findShadowed(uses),
    ...findBucketHosts(uses),
    ...findDuplicates(tcpUses),
    ...findShadowed(tcpUses),
    ...findShadowedBlocks(policy),
  ];
}

function findUnusedGroups(policy: ParsedPolicy): Diagnostic[] {
  if (policy.sources.length === 0) return [];
  const used = new Set(policy.rules.flatMap(rule => rule.from.map(item => item.text)));
  return policy.sources
    .filter(group => group.mode === null && !used.has(group.name))
    .map(group =>
      warn(
        group.location,
        `sources.${group.name}`,
        'no rule names this group',
        'use it in from, or remove it',
      ),
    );
}

function findEndingRules({ rules }: ParsedPolicy, nowMs: number): Diagnostic[] {
  const indexes = indexesInFiles(rules);
  return rules.flatMap(({ name, untilMs, location }, i) => {
    const isPart = name === rules[i - 1]?.name;
    if (untilMs === null || untilMs - nowMs > SOON_MS || isPart) return [];
    const when = new Date(untilMs).toISOString().replace('.000', '');
    const path = `rules[${indexes[i] ?? 0}]`;
    if (untilMs <= nowMs)
      return [warn(location, path, `matches nothing since ${when}`, 'remove the rule, or its until')];
    const days = Math.floor((untilMs - nowMs) / DAY_MS);
    const left = days === 0 ? 'within a day' : days === 1 ? 'in a day' : `in ${days} days`;
    return [
      warn(location, path, `matches nothing from ${when} on, ${left}`, 'extend its until, or let it end'),
    ];
  });
}

function warn({ file, line, col }: Location, path: string, message: string, fix: string): Diagnostic {
  return { file, line, col, path, message, fix, severity: 'warning' };
}
