import { distance } from 'fastest-levenshtein';
import { type HostPattern, patternMatches } from './pattern.ts';
import type { TcpQuery } from './policy.ts';
import type { RuleBook } from './rule-book.ts';
import type { Location } from './rules.ts';

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

/** Allow rules that nearly match a hostname or an address, at most five, nearest first. Takes a step for each rule. */
export function* findNearMisses(book: RuleBook, query: TcpQuery): Generator<undefined, NearMiss[]> {
  const nearest: NearMiss[] = [];
  for (let rule = 0; rule < book.ruleCount; rule++) {
    yield;
    if (book.action(rule) === 'deny') continue;
    for (const { text, location, miss } of missesOf(book, rule, query)) {
      const place = nearest.findIndex(({ kind }) => distanceOf(kind) > distanceOf(miss.kind));
      const found = { ...miss, rule: book.name(rule), pattern: text, location };
      nearest.splice(place < 0 ? nearest.length : place, 0, found);
      if (nearest.length > SHOWN) nearest.pop();
    }
  }
  return nearest;
}

function distanceOf(kind: NearMiss['kind']): number {
  return NEAR_MISS_KINDS.indexOf(kind);
}

type Judgement = Pick<NearMiss, 'kind' | 'hint'> | null;

interface Miss {
  readonly text: string;
  readonly location: Location;
  readonly miss: NonNullable<Judgement>;
}

function missesOf(book: RuleBook, rule: number, query: TcpQuery): Miss[] {
  const { hostname, address } = query;
  const found: Miss[] = [];
  if (hostname !== null) {
    for (const { pattern, location } of book.hosts(rule)) {
      const miss = judge(book, rule, pattern, hostname, query);
      if (miss !== null) found.push({ text: pattern.text, location, miss });
    }
  }
  const block = address === null ? undefined : book.cidrs(rule).find(cidr => cidr.contains(address));
  if (block !== undefined) {
    const miss = judgeConditions(book, rule, query);
    if (miss !== null) found.push({ text: block.toString(), location: book.location(rule), miss });
  }
  return found;
}

function judge(
  book: RuleBook,
  rule: number,
  pattern: HostPattern,
  hostname: string,
  query: TcpQuery,
): Judgement {
  return patternMatches(pattern, hostname)
    ? judgeConditions(book, rule, query)
    : judgeName(pattern, hostname);
}

/** The name matches: what else does not? */
function judgeConditions(
  book: RuleBook,
  rule: number,
  { port, source, vpcEndpoint, nowMs }: TcpQuery,
): Judgement {
  const ports = book.ports(rule);
  if (!ports.includes(port)) return { kind: 'port', hint: `allows port ${ports.join(', ')}, not ${port}` };
  if (!book.isFor(rule, source, vpcEndpoint)) {
    const who = vpcEndpoint === undefined ? `${source}` : `${source} or ${vpcEndpoint}`;
    return { kind: 'source', hint: `is for ${book.from(rule)}, which does not hold ${who}` };
  }
  const untilMs = book.untilMs(rule);
  if (nowMs >= untilMs) {
    return { kind: 'expired', hint: `matches nothing since ${new Date(untilMs).toISOString()}` };
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
