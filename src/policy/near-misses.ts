import { distance } from 'fastest-levenshtein';
import { type HostPattern, patternMatches } from './pattern.ts';
import type { PolicyQuery } from './policy.ts';
import type { Location, ParsedPolicy, Rule } from './rules.ts';

/** What keeps a rule from matching. Listed nearest first. */
export const NEAR_MISS_KINDS = ['expired', 'port', 'source', 'apex', 'label-count', 'spelling'] as const;

export interface NearMiss {
  readonly kind: (typeof NEAR_MISS_KINDS)[number];
  readonly rule: string;
  readonly pattern: string;
  readonly location: Location;
  /** What to make of it, in words. */
  readonly hint: string;
}

/** More would bury the likely ones. */
const SHOWN = 5;
const MAX_EDITS = 2;

/** Allow rules that nearly match a hostname, at most five, nearest first. */
export function nearMisses(parsed: ParsedPolicy, hostname: string, query: PolicyQuery): NearMiss[] {
  const found: NearMiss[] = [];
  for (const rule of parsed.rules) {
    if (rule.action === 'deny') continue;
    for (const [host, pattern] of rule.hosts.entries()) {
      const miss = judge(rule, pattern, hostname, query);
      if (miss === null) continue;
      const location = { ...rule.location, ...rule.hostPositions[host] };
      found.push({ ...miss, rule: rule.name, pattern: pattern.text, location });
    }
  }
  const order = (miss: NearMiss) => NEAR_MISS_KINDS.indexOf(miss.kind);
  return found.sort((a, b) => order(a) - order(b)).slice(0, SHOWN);
}

type Judgement = Pick<NearMiss, 'kind' | 'hint'> | null;

function judge(rule: Rule, pattern: HostPattern, hostname: string, query: PolicyQuery): Judgement {
  return patternMatches(pattern, hostname) ? judgeConditions(rule, query) : judgeName(pattern, hostname);
}

/** The name matches: what else does not? */
function judgeConditions(rule: Rule, { port, source, nowMs }: PolicyQuery): Judgement {
  if (!rule.ports.includes(port)) {
    return { kind: 'port', hint: `allows port ${rule.ports.join(', ')}, not ${port}` };
  }
  const isItsSource =
    rule.from.length === 0 || rule.from.some(item => item.cidrs.some(cidr => cidr.contains(source)));
  if (!isItsSource) {
    const from = rule.from.map(item => item.text).join(', ');
    return { kind: 'source', hint: `is for ${from}, which does not hold ${source.toString()}` };
  }
  if (rule.untilMs !== null && nowMs >= rule.untilMs) {
    return { kind: 'expired', hint: `matches nothing since ${new Date(rule.untilMs).toISOString()}` };
  }
  return null;
}

function judgeName(pattern: HostPattern, hostname: string): Judgement {
  const { labels, deep, text } = pattern;
  const isWildcard = deep || labels[0] === '*';
  const base = deep ? labels : labels.slice(1);
  if (isWildcard && base.join('.') === hostname) {
    return { kind: 'apex', hint: `${text} does not match ${hostname} itself: add it to hosts` };
  }
  if (!deep && labels[0] === '*' && hostname.endsWith(`.${base.join('.')}`)) {
    return { kind: 'label-count', hint: `* stands for one label: **.${base.join('.')} would match` };
  }
  if (!deep && patternMatches({ text, labels, deep: true }, hostname)) {
    return { kind: 'label-count', hint: `${hostname} has more labels than ${text}: **.${text} would match` };
  }
  const isLiteral = !deep && !text.includes('*');
  if (
    isLiteral &&
    Math.abs(text.length - hostname.length) <= MAX_EDITS &&
    distance(text, hostname) <= MAX_EDITS
  ) {
    return { kind: 'spelling', hint: `is spelled ${text}` };
  }
  if (!deep && labels.length > 1 && hostname.includes('.') && hostname === labels.slice(1).join('.')) {
    return { kind: 'label-count', hint: `${hostname} has fewer labels than ${text}: add it to hosts` };
  }
  return null;
}
