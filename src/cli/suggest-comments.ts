import { escapeValue } from '../observe/escape.ts';
import { readS3Host } from '../policy/s3.ts';
import type { Seen } from '../policy/source-tally.ts';
import type { SuggestedRule } from '../policy/suggest.ts';
import type { LeftOut, SeenSites } from '../policy/suggest-sites.ts';

/** So many hosts stand in a comment, and so many kinds of flows that were left out. */
const SHOWN_HOSTS = 6;
const SHOWN_LEFT_OUT = 20;

/** What the policy was made from besides `sites`: logs, and the policy that it adds to. */
export interface SuggestedFrom {
  readonly hasLogs: boolean;
  readonly existing: string | null;
}

/** What is said above a policy. */
export function commentBefore(sites: SeenSites, { hasLogs, existing }: SuggestedFrom): string[] {
  const lines = [
    `Suggested by sallyport from ${count(sites.flows, 'flow')}. It allows what was seen, and what its rules say besides:`,
    'read it before it is enforced. Above each rule stands what it was made from.',
  ];
  if (existing !== null) {
    lines.push(
      `It adds to ${escapeValue(existing)}, which allows ${count(sites.covered, 'flow')} of them already.`,
    );
  }
  if (!hasLogs) {
    lines.push(
      'The daemon does not say which hosts lie at private addresses, as logs do: these need allowPrivate.',
    );
  }
  return lines;
}

/** What is said above a rule: what it was made from, and what it opens besides. */
export function commentOnRule({
  seen,
  wildcards,
  preset,
  hosts,
  allowPrivate,
  s3,
  echFlows,
}: SuggestedRule): string[] {
  const lines = [describeSeen(seen)];
  for (const { pattern, hosts: siblings } of wildcards)
    lines.push(`${pattern} for ${count(siblings.length, 'host')}: ${some(siblings)}`);
  if (preset !== null)
    lines.push(
      preset.unseen.length === 0
        ? `all of its ${count(preset.opened, 'host')} were seen`
        : `opens ${count(preset.opened, 'host')}; not seen: ${some(preset.unseen)}`,
    );
  if (s3 !== null) lines.push('opens these by every hostname that shows them');
  const open = hosts.filter(host => readS3Host(host)?.form === 'path-style');
  if (open.length > 0) lines.push(`every S3 bucket can be reached, since the path names it: ${some(open)}`);
  if (allowPrivate) lines.push('seen at private addresses');
  if (echFlows > 0)
    lines.push(`${count(echFlows, 'flow')} with Encrypted Client Hello, which only ech: outer lets through`);
  return lines;
}

/** What is said below the policy: all that no rule was made for. */
export function commentAfter(sites: SeenSites): string[] {
  const sections = [
    section('Left out, for something spoke against them (--include-denied takes them in):', sites.denied),
    section('Left out, for they named no host:', sites.nameless),
    section('Left out, for their names are no hostnames:', sites.misnamed),
    sites.sourceless > 0
      ? [`Left out, for their source is no address: ${count(sites.sourceless, 'flow')}`]
      : [],
    sites.noRoom > 0 ? [`Left out, for there are too many sites: ${count(sites.noRoom, 'flow')}`] : [],
  ];
  const said = sections.filter(lines => lines.length > 0);
  return said.flatMap((lines, i) => (i === 0 ? lines : ['', ...lines]));
}

function section(heading: string, groups: SeenSites['denied']): string[] {
  const list = groups.list().sort(inOrder);
  if (list.length === 0) return [];
  const shown = list.slice(0, SHOWN_LEFT_OUT);
  const flows = list.slice(SHOWN_LEFT_OUT).reduce((sum, group) => sum + group.flows, groups.notListed);
  const more = flows === 0 ? [] : [`  and ${count(flows, 'flow')} more`];
  return [heading, ...shown.map(group => `  ${describeLeftOut(group)}`), ...more];
}

function describeLeftOut({ hostname, destination, port, reason, rule, ...seen }: LeftOut): string {
  const why = reason === null ? '' : ` ${escapeValue(reason)}`;
  const by = rule === null ? '' : ` by ${escapeValue(rule)}`;
  return `${escapeValue(hostname ?? destination)}:${port}${why}${by}, ${describeSeen(seen)}`;
}

function describeSeen({ flows, sources, someSources, firstSeenMs, lastSeenMs }: Seen): string {
  const who =
    sources > someSources.length ? count(sources, 'source') : someSources.map(escapeValue).join(', ');
  return `${count(flows, 'flow')} from ${who}${describeSpan(firstSeenMs, lastSeenMs)}`;
}

function describeSpan(firstMs: number | null, lastMs: number | null): string {
  if (firstMs === null || lastMs === null) return '';
  const [first, last] = [timeOf(firstMs), timeOf(lastMs)];
  return first === last ? `, ${first}` : `, ${first} to ${last}`;
}

/** To the second. */
function timeOf(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}

function some(hosts: readonly string[]): string {
  const more = hosts.length - SHOWN_HOSTS;
  return more <= 1 ? hosts.join(', ') : `${hosts.slice(0, SHOWN_HOSTS).join(', ')} and ${more} more`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** Most flows first; equal ones by what they are. */
function inOrder(a: LeftOut, b: LeftOut): number {
  if (a.flows !== b.flows) return b.flows - a.flows;
  const [left, right] = [a, b].map(({ hostname, destination, port, reason, rule }) =>
    JSON.stringify([hostname, destination, port, reason, rule]),
  );
  return (left ?? '') < (right ?? '') ? -1 : 1;
}
