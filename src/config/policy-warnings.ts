import type { HostPattern } from '../policy/pattern.ts';
import type { Location, ParsedPolicy, Rule } from '../policy/rules.ts';
import { compareRules } from '../policy/specificity.ts';
import type { Diagnostic } from './diagnostics.ts';

/** A pattern with the rule and the place it stands in. */
interface Use {
  readonly rule: Rule;
  /** Of the rule, in its own file. */
  readonly index: number;
  readonly host: number;
  readonly pattern: HostPattern;
}

/** So many deny rules with one pattern are held against an allow rule. */
const DENIALS_COMPARED = 32;

/** What loads but is hardly meant. Takes time near linear in the number of hosts. */
export function policyWarnings(policy: ParsedPolicy, nowMs: number): Diagnostic[] {
  const uses = indexByPattern(policy);
  return [
    ...unusedGroups(policy),
    ...expiredRules(policy, nowMs),
    ...duplicates(uses),
    ...deniedAllows(uses),
    ...bucketHosts(uses),
  ];
}

function unusedGroups(policy: ParsedPolicy): Diagnostic[] {
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

function expiredRules(policy: ParsedPolicy, nowMs: number): Diagnostic[] {
  const inFile = indexInFile(policy.rules);
  return policy.rules.flatMap((rule, index) => {
    if (rule.untilMs === null || rule.untilMs > nowMs) return [];
    const when = new Date(rule.untilMs).toISOString().replace('.000', '');
    return [
      warn(
        rule.location,
        `rules[${inFile(index)}]`,
        `matches nothing since ${when}`,
        'remove the rule, or its until',
      ),
    ];
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
    const denying = list.filter(use => use.rule.action === 'deny').slice(0, DENIALS_COMPARED);
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

const PATH_STYLE =
  /^s3(?:[.-](?:dualstack|fips|external-1))*(?:[.-][a-z]{2}(?:-[a-z]+)+-\d)?\.amazonaws\.com(?:\.cn)?$/;
const DOTTED_BUCKET =
  /\..+\.s3(?:[.-](?:dualstack|fips))*(?:[.-][a-z]{2}(?:-[a-z]+)+-\d)?\.amazonaws\.com(?:\.cn)?$/;

/** S3 names a bucket in the hostname only when it is asked virtual-hosted style, and never one with dots over TLS. */
function bucketHosts(uses: ReadonlyMap<string, readonly Use[]>): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const [text, list] of uses) {
    if (!text.endsWith('.amazonaws.com') && !text.endsWith('.amazonaws.com.cn')) continue;
    const use = list.find(candidate => candidate.rule.action === 'allow');
    if (use === undefined) continue;
    if (PATH_STYLE.test(text)) {
      const fix = 'name buckets as BUCKET.s3.REGION.amazonaws.com';
      found.push(
        warn(locationOf(use), pathOf(use), 'opens every S3 bucket: the path names the bucket here', fix),
      );
    } else if (DOTTED_BUCKET.test(text) && !use.pattern.deep && !text.startsWith('*')) {
      const message = 'a bucket name with dots is asked for by path, not by this host';
      found.push(warn(locationOf(use), pathOf(use), message, 'use a bucket without dots'));
    }
  }
  return found;
}

function indexByPattern(policy: ParsedPolicy): Map<string, Use[]> {
  const index = new Map<string, Use[]>();
  const inFile = indexInFile(policy.rules);
  for (const [i, rule] of policy.rules.entries()) {
    for (const [host, pattern] of rule.hosts.entries()) {
      const use = { rule, index: inFile(i), host, pattern };
      const list = index.get(pattern.text);
      if (list === undefined) index.set(pattern.text, [use]);
      else list.push(use);
    }
  }
  return index;
}

function sourceKey(rule: Rule): string {
  return rule.from
    .map(item => item.text)
    .sort()
    .join(',');
}

/** Turns a rule's index in the policy into the one in its own file. */
function indexInFile(rules: readonly Rule[]): (index: number) => number {
  const firsts = new Map<string, number>();
  for (const [index, { location }] of rules.entries()) {
    if (!firsts.has(location.file)) firsts.set(location.file, index);
  }
  return index => index - (firsts.get(rules[index]?.location.file ?? '') ?? 0);
}

function pathOf({ index, host }: Use): string {
  return `rules[${index}].hosts[${host}]`;
}

function locationOf({ rule, host }: Use): Location {
  return { ...rule.location, ...rule.hostPositions[host] };
}

function placeOf(use: Use): string {
  const { file, line } = locationOf(use);
  return `${file}:${line}`;
}

function warn(place: Location, path: string, message: string, fix: string): Diagnostic {
  const { file, line, col } = place;
  return { file, line, col, path, message, fix, severity: 'warning' };
}
