import { parsePattern } from '../policy/pattern.ts';
import { EditFault, type HostsEdit, type HostsRemoval, type PlannedEdits } from './policy-edit.ts';
import type { PolicyFile } from './policy-file.ts';
import type { RuleInput } from './policy-schema.ts';
import { parseDate } from './scalars.ts';
import type { YamlValue } from './yaml-literal.ts';
import type { YamlEdit } from './yaml-splices.ts';

const DEFAULT_PORTS = [443];

interface Place {
  readonly file: PolicyFile;
  readonly index: number;
  readonly rule: RuleInput;
}

/** The rules that `allow` and `deny` keep for themselves, numbered from the second on. */
const OWN_RULES = { allow: 'allowed-by-command', deny: 'denied-by-command' } as const;

/** The edits that add hosts to a rule, which is made where there is none yet. Throws EditFault. */
export function addHosts(files: readonly PolicyFile[], edit: HostsEdit): PlannedEdits {
  const untilMs = readUntil(edit.until);
  const rules = rulesOf(files);
  const target =
    edit.rule === null ? ownRule(rules, edit, untilMs) : namedRule(rules, edit.rule, edit, untilMs);
  const notes: string[] = [];
  const holders = holdersOf(rules);
  const missing = uniqueHosts(edit.hosts).filter(host => {
    const holder = holders
      .get(normalForm(host))
      ?.find(place => place === target || (edit.rule === null && isAsWide(place.rule, edit, untilMs)));
    if (holder !== undefined) notes.push(`${host} stands in rule ${holder.rule.name} already`);
    return holder === undefined;
  });
  if (missing.length === 0) return { edits: new Map(), notes };
  if (target !== undefined) {
    const append: YamlEdit = { kind: 'append', path: ['rules', target.index, 'hosts'], values: missing };
    return { edits: new Map([[target.file.file, [append]]]), notes };
  }
  // Files are read in the order of their names: a new rule goes to the end of the policy.
  const home = files.at(-1);
  if (home === undefined) throw new EditFault('the policy has no file');
  const rule = newRule(edit.rule ?? freeName(rules, OWN_RULES[edit.action]), edit, missing);
  return { edits: new Map([[home.file, [{ kind: 'append', path: ['rules'], values: [rule] }]]]), notes };
}

/** The edits that take hosts out of a rule, and the rule with its last host. Throws EditFault. */
export function removeHosts(files: readonly PolicyFile[], edit: HostsRemoval): PlannedEdits {
  const all = rulesOf(files);
  const rules = all.filter(
    ({ rule }) =>
      rule.action === edit.action &&
      (edit.rule === null ? isOwn(rule, edit.action) : rule.name === edit.rule),
  );
  const holders = holdersOf(all);
  const wanted = new Set(edit.hosts.map(normalForm));
  for (const host of uniqueHosts(edit.hosts)) {
    const places = holders.get(normalForm(host)) ?? [];
    if (!places.some(place => rules.includes(place))) throw new EditFault(notThere(host, places, edit));
  }
  const edits = new Map<string, YamlEdit[]>();
  for (const file of files) {
    const emptied: number[] = [];
    const list: YamlEdit[] = [];
    for (const { rule, index } of rules.filter(place => place.file === file)) {
      const hosts = rule.hosts ?? [];
      const indices = hosts.flatMap((host, i) => (wanted.has(normalForm(host)) ? [i] : []));
      if (indices.length === 0) continue;
      if (indices.length < hosts.length)
        list.push({ kind: 'removeItems', path: ['rules', index, 'hosts'], indices });
      else if (rule.presets === undefined && rule.s3 === undefined && rule.cidrs === undefined)
        emptied.push(index);
      else list.push({ kind: 'unset', path: ['rules', index, 'hosts'] });
    }
    if (emptied.length > 0) list.push({ kind: 'removeItems', path: ['rules'], indices: emptied });
    if (list.length > 0) edits.set(file.file, list);
  }
  return { edits, notes: [] };
}

function rulesOf(files: readonly PolicyFile[]): Place[] {
  return files.flatMap(file => file.input.rules.map((rule, index) => ({ file, index, rule })));
}

/** The rule of this family that says what a new one would say, and nothing that somebody wrote into it since. */
function ownRule(rules: readonly Place[], edit: HostsEdit, untilMs: number | undefined): Place | undefined {
  return rules.find(
    ({ rule }) =>
      isOwn(rule, edit.action) &&
      rule.action === edit.action &&
      rule.hosts !== undefined &&
      rule.protocol === 'named' &&
      isSameSet(portsOf(rule), edit.ports ?? DEFAULT_PORTS) &&
      isSameSet(rule.from ?? [], edit.from ?? []) &&
      rule.until === untilMs &&
      rule.allowPrivate !== true &&
      !rule.acceptPublicSuffix,
  );
}

/** The rule of that name, which must not contradict what was asked for. */
function namedRule(
  rules: readonly Place[],
  name: string,
  { action, ports, from, until }: HostsEdit,
  untilMs: number | undefined,
): Place | undefined {
  const place = rules.find(({ rule }) => rule.name === name);
  if (place === undefined) return undefined;
  const { rule } = place;
  const other = `name another rule, or change rule ${name} by hand`;
  if (rule.hosts === undefined) throw new EditFault(`rule ${name} has no hosts of its own (${other})`);
  if (rule.action !== action) throw new EditFault(`rule ${name} says action: ${rule.action} (${other})`);
  if (ports !== null && !isSameSet(portsOf(rule), ports)) {
    throw new EditFault(`rule ${name} has ports ${portsOf(rule).join(', ')} (${other})`);
  }
  if (from !== null && !isSameSet(rule.from ?? [], from)) {
    throw new EditFault(`rule ${name} is from ${rule.from?.join(', ') ?? 'any source'} (${other})`);
  }
  if (until !== null && rule.until !== untilMs) {
    throw new EditFault(`rule ${name} has another until (${other})`);
  }
  return place;
}

/** Whether a host in this rule needs no other rule for what is asked. */
function isAsWide(rule: RuleInput, { action, ports, from }: HostsEdit, untilMs: number | undefined): boolean {
  if (rule.action !== action || rule.protocol !== 'named') return false;
  if (!(ports ?? DEFAULT_PORTS).every(port => portsOf(rule).includes(port))) return false;
  if (rule.until !== undefined && (untilMs === undefined || rule.until < untilMs)) return false;
  return rule.from === undefined || isSameSet(rule.from, from ?? []);
}

function portsOf(rule: RuleInput): readonly number[] {
  return rule.ports ?? DEFAULT_PORTS;
}

function newRule(
  name: string,
  { action, ports, from, until }: HostsEdit,
  hosts: readonly string[],
): YamlValue {
  return {
    name,
    ...(action === 'deny' ? { action } : {}),
    hosts,
    ...(ports === null ? {} : { ports }),
    ...(from === null ? {} : { from }),
    ...(until === null ? {} : { until }),
  };
}

function isOwn(rule: RuleInput, action: 'allow' | 'deny'): boolean {
  return new RegExp(`^${OWN_RULES[action]}(-\\d+)?$`).test(rule.name);
}

function freeName(rules: readonly Place[], base: string): string {
  const taken = new Set(rules.map(({ rule }) => rule.name));
  let name = base;
  for (let number = 2; taken.has(name); number++) name = `${base}-${number}`;
  return name;
}

function notThere(host: string, places: readonly Place[], edit: HostsRemoval): string {
  const where =
    edit.rule === null
      ? `no rule named ${OWN_RULES[edit.action]}`
      : `no ${edit.action} rule named ${edit.rule}`;
  const holder = places.find(({ rule }) => rule.action === edit.action);
  const fix =
    holder === undefined ? 'nothing to remove' : `it stands in rule ${holder.rule.name}: name that rule`;
  return `${host} stands in ${where} (${fix})`;
}

/** The rules that a host stands in, by its normal form. */
function holdersOf(rules: readonly Place[]): Map<string, Place[]> {
  const holders = new Map<string, Place[]>();
  for (const place of rules) {
    for (const form of (place.rule.hosts ?? []).map(normalForm)) {
      const places = holders.get(form);
      if (places === undefined) holders.set(form, [place]);
      else places.push(place);
    }
  }
  return holders;
}

/** Each host once, as it was first written. */
function uniqueHosts(hosts: readonly string[]): string[] {
  const unique = new Map<string, string>();
  for (const host of hosts) if (!unique.has(normalForm(host))) unique.set(normalForm(host), host);
  return [...unique.values()];
}

/** One spelling of a host pattern; of one with variables, the lower case. */
function normalForm(host: string): string {
  const parsed = parsePattern(host);
  return parsed.ok ? parsed.pattern.text : host.toLowerCase();
}

function readUntil(until: string | null): number | undefined {
  if (until === null) return undefined;
  const date = parseDate(until, 'end');
  if (!date.ok) throw new EditFault(`until: ${date.message} (${date.fix})`);
  return date.value;
}

function isSameSet<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.every(item => b.includes(item)) && b.every(item => a.includes(item));
}
