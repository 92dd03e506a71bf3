import type { HostPattern } from '../policy/pattern.ts';
import type { Location, ParsedPolicy, Rule } from '../policy/rules.ts';
import { compareRules } from '../policy/specificity.ts';
import type { Diagnostic } from './diagnostics.ts';

/** A pattern with the rule and the place it stands in. */
interface Use {
  readonly rule: Rule;
  readonly ruleIndex: number;
  readonly host: number;
  readonly pattern: HostPattern;
}

/** So many rules with one pattern are compared with each other; beyond, only with the first. */
const COMPARED = 32;

/** What loads but is hardly meant. Takes time near linear in the number of hosts. */
export function policyWarnings(policy: ParsedPolicy, nowMs: number): Diagnostic[] {
  const uses = indexByPattern(policy);
  return [
    ...settingWarnings(policy, nowMs),
    ...unusedGroups(policy),
    ...expiredRules(policy, nowMs),
    ...duplicates(uses),
    ...deniedAllows(uses),
    ...bucketHosts(uses),
  ];
}

function settingWarnings(policy: ParsedPolicy, nowMs: number): Diagnostic[] {
  const { mode, observeUntilMs } = policy;
  const location = policy.rules[0]?.location ?? policy.sources[0]?.location;
  if (observeUntilMs === null || location === undefined) return [];
  const place = { file: location.file, line: 1, col: 1 };
  if (mode === 'enforce') {
    return [warn(place, 'observeUntil', 'has no meaning where mode is enforce', 'remove it, or say mode: observe')];
  }
  if (observeUntilMs > nowMs) return [];
  return [warn(place, 'observeUntil', 'has passed: the policy is enforced', 'say mode: enforce instead')];
}

function unusedGroups(policy: ParsedPolicy): Diagnostic[] {
  const used = new Set(policy.rules.flatMap(rule => rule.from.map(item => item.text)));
  return policy.sources
    .filter(group => group.mode === null && !used.has(group.name))
    .map(group => warn(group.location, `sources.${group.name}`, 'no rule names this group', 'use it in from, or remove it'));
}

function expiredRules(policy: ParsedPolicy, nowMs: number): Diagnostic[] {
  return policy.rules.flatMap(rule => {
    if (rule.untilMs === null || rule.untilMs > nowMs) return [];
    const when = new Date(rule.untilMs).toISOString().replace('.000', '');
    return [warn(rule.location, `rule ${rule.name}`, `matches nothing since ${when}`, 'remove the rule, or its until')];
  });
}

/** Two rules of one action that match the same: only one of them ever decides. */
function duplicates(uses: ReadonlyMap<string, readonly Use[]>): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const list of uses.values()) {
    if (list.length < 2) continue;
    const deciding = new Map<string, Use>();
    for (const use of list) {
      const { rule, pattern } = use;
      const key = `${rule.action} ${rule.ports.join(',')} ${sourceKey(rule)} ${rule.untilMs}`;
      const other = deciding.get(key);
      if (other === undefined) {
        deciding.set(key, use);
        continue;
      }
      const isSame = other.rule === rule;
      const [first, second] = isSame || compareRules(other.rule, rule) < 0 ? [other, use] : [use, other];
      if (!isSame) deciding.set(key, first);
      const message = isSame
        ? `${JSON.stringify(pattern.text)} stands in this rule twice`
        : `${JSON.stringify(pattern.text)} is decided by rule ${first.rule.name} (${placeOf(first)}), never by this one`;
      found.push(warn(locationOf(second), pathOf(second), message, 'remove one of the two'));
    }
  }
  return found;
}

/** An allow rule whose every match a deny rule takes: by the same pattern, or by `*` or `**` before its last labels. */
function deniedAllows(uses: ReadonlyMap<string, readonly Use[]>): Diagnostic[] {
  const found: Diagnostic[] = [];
  const denials = new Map<string, readonly Use[]>();
  for (const [text, list] of uses) {
    const denying = list.filter(use => use.rule.action === 'deny').slice(0, COMPARED);
    if (denying.length > 0) denials.set(text, denying);
  }
  if (denials.size === 0) return found;
  for (const list of uses.values()) {
    for (const use of list) {
      if (use.rule.action === 'deny') continue;
      const denial = coveringPatterns(use.pattern)
        .flatMap(text => denials.get(text) ?? [])
        .find(candidate => coversConditions(candidate.rule, use.rule));
      if (denial === undefined) continue;
      const message = `never allowed: rule ${denial.rule.name} (${placeOf(denial)}) denies ${JSON.stringify(denial.pattern.text)}`;
      found.push(warn(locationOf(use), pathOf(use), message, 'remove one of the two'));
    }
  }
  return found;
}

/** Texts of patterns that match whatever this one matches. */
function coveringPatterns({ text, labels, deep }: HostPattern): string[] {
  const covering = [text];
  const rest = labels.slice(1).join('.');
  if (!deep && rest !== '') covering.push(`*.${rest}`);
  for (let i = 1; i < labels.length; i++) covering.push(`**.${labels.slice(i).join('.')}`);
  return covering;
}

function coversConditions(denial: Rule, allow: Rule): boolean {
  if (denial.untilMs !== null && (allow.untilMs === null || allow.untilMs > denial.untilMs)) return false;
  if (!allow.ports.every(port => denial.ports.includes(port))) return false;
  if (denial.from.length === 0) return true;
  const denied = new Set(denial.from.map(item => item.text));
  return allow.from.length > 0 && allow.from.every(item => denied.has(item.text));
}

const PATH_STYLE = /^s3(?:[.-](?:dualstack|fips|external-1))*(?:[.-][a-z]{2}(?:-[a-z]+)+-\d)?\.amazonaws\.com(?:\.cn)?$/;
const DOTTED_BUCKET = /\..+\.s3(?:[.-](?:dualstack|fips))*(?:[.-][a-z]{2}(?:-[a-z]+)+-\d)?\.amazonaws\.com(?:\.cn)?$/;

/** S3 names a bucket in the hostname only when it is asked virtual-hosted style, and never one with dots over TLS. */
function bucketHosts(uses: ReadonlyMap<string, readonly Use[]>): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const [text, list] of uses) {
    if (!text.endsWith('.amazonaws.com') && !text.endsWith('.amazonaws.com.cn')) continue;
    const use = list.find(candidate => candidate.rule.action === 'allow');
    if (use === undefined) continue;
    if (PATH_STYLE.test(text)) {
      const fix = 'name buckets as BUCKET.s3.REGION.amazonaws.com';
      found.push(warn(locationOf(use), pathOf(use), 'opens every S3 bucket: the path names the bucket here', fix));
    } else if (DOTTED_BUCKET.test(text) && !use.pattern.deep && !text.startsWith('*')) {
      const message = 'a bucket name with dots is asked for by path, not by this host';
      found.push(warn(locationOf(use), pathOf(use), message, 'use a bucket without dots'));
    }
  }
  return found;
}

function indexByPattern(policy: ParsedPolicy): Map<string, Use[]> {
  const index = new Map<string, Use[]>();
  for (const [ruleIndex, rule] of policy.rules.entries()) {
    for (const [host, pattern] of rule.hosts.entries()) {
      const use = { rule, ruleIndex, host, pattern };
      const list = index.get(pattern.text);
      if (list === undefined) index.set(pattern.text, [use]);
      else list.push(use);
    }
  }
  return index;
}

function sourceKey(rule: Rule): string {
  return rule.from.map(item => item.text).sort().join(',');
}

function locationOf(use: Use): Location {
  const line = use.rule.hostLines[use.host] ?? use.rule.location.line;
  return { ...use.rule.location, line, col: 1 };
}

function pathOf(use: Use): string {
  return `rule ${use.rule.name}`;
}

function placeOf(use: Use): string {
  const { file, line } = locationOf(use);
  return `${file}:${line}`;
}

function warn(place: Location, path: string, message: string, fix: string): Diagnostic {
  const { file, line, col } = place;
  return { file, line, col, path, message, fix, severity: 'warning' };
}
