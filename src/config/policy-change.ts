import { isDeepStrictEqual } from 'node:util';
import type { ParsedPolicy, Rule, SourceGroup } from '../policy/rules.ts';

/** So many changes are told one by one, so many hosts of one rule. */
const CHANGES_TOLD = 20;
const HOSTS_TOLD = 5;

/** What another policy changes, in a few lines: `mode observe -> enforce`, `rule api: +a.example -b.example`. */
export function describePolicyChange(before: ParsedPolicy, after: ParsedPolicy): string[] {
  const changes = [
    ...settingChange('mode', before.mode, after.mode),
    ...settingChange('observeUntil', formatDate(before.observeUntilMs), formatDate(after.observeUntilMs)),
    ...settingChange('ech', before.ech, after.ech),
    ...namedChanges(before.sources, after.sources, groupChange),
    ...namedChanges(wholeRules(before.rules), wholeRules(after.rules), ruleChange),
  ];
  if (changes.length <= CHANGES_TOLD) return changes;
  return [...changes.slice(0, CHANGES_TOLD), `and ${changes.length - CHANGES_TOLD} more`];
}

function settingChange(name: string, before: string, after: string): string[] {
  return before === after ? [] : [`${name} ${before} -> ${after}`];
}

function formatDate(ms: number | null): string {
  return ms === null ? 'none' : new Date(ms).toISOString().replace('.000', '');
}

/** Tells `change` of all that were added, removed or kept, by name. */
function namedChanges<T extends { readonly name: string }>(
  before: readonly T[],
  after: readonly T[],
  change: (before: T | undefined, after: T | undefined) => string[],
): string[] {
  const old = new Map(before.map(item => [item.name, item]));
  const kept = new Set(after.map(({ name }) => name));
  return [
    ...before.filter(({ name }) => !kept.has(name)).flatMap(item => change(item, undefined)),
    ...after.flatMap(item => change(old.get(item.name), item)),
  ];
}

function groupChange(before: SourceGroup | undefined, after: SourceGroup | undefined): string[] {
  if (after === undefined) return [`sources.${before?.name} removed`];
  if (before === undefined) return [`sources.${after.name} added`];
  const mode = settingChange(`sources.${after.name}: mode`, before.mode ?? 'none', after.mode ?? 'none');
  if (mode.length > 0 || isSame(before, after)) return mode;
  return [`sources.${after.name} changed`];
}

/** A rule with all its parts. */
interface WholeRule {
  readonly name: string;
  readonly action: Rule['action'];
  /** And blocks of tcp rules. */
  readonly hosts: readonly string[];
  readonly parts: readonly Rule[];
}

function wholeRules(rules: readonly Rule[]): WholeRule[] {
  const whole = new Map<string, Rule[]>();
  for (const rule of rules) {
    const parts = whole.get(rule.name);
    if (parts === undefined) whole.set(rule.name, [rule]);
    else parts.push(rule);
  }
  return [...whole].map(([name, parts]) => ({
    name,
    action: parts[0]?.action ?? 'allow',
    hosts: parts.flatMap(({ hosts, cidrs }) => [...hosts.map(({ text }) => text), ...cidrs.map(String)]),
    parts,
  }));
}

function ruleChange(before: WholeRule | undefined, after: WholeRule | undefined): string[] {
  if (after === undefined) return [`rule ${before?.name} removed`];
  if (before === undefined) {
    return [`rule ${after.name} added: ${after.action} ${listed(after.hosts)}`];
  }
  if (isDeepStrictEqual(before.parts.map(meaning), after.parts.map(meaning))) return [];
  const [old, now] = [before, after].map(rule => new Set(rule.hosts));
  const hosts = [
    ...[...(now ?? [])].filter(text => old?.has(text) === false).map(text => `+${text}`),
    ...[...(old ?? [])].filter(text => now?.has(text) === false).map(text => `-${text}`),
  ];
  return [hosts.length === 0 ? `rule ${after.name} changed` : `rule ${after.name}: ${listed(hosts)}`];
}

function listed(texts: readonly string[]): string {
  const more = texts.length - HOSTS_TOLD;
  return texts.slice(0, HOSTS_TOLD).join(' ') + (more > 0 ? ` and ${more} more` : '');
}

/** Whether two mean the same, wherever they stand. */
function isSame(before: SourceGroup, after: SourceGroup): boolean {
  return isDeepStrictEqual(meaning(before), meaning(after));
}

function meaning(item: Rule | SourceGroup): unknown {
  return { ...item, location: null, hostPositions: null };
}
