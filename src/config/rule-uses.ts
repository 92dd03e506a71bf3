import type { HostPattern } from '../policy/pattern.ts';
import type { HostPlace, Location, ParsedPolicy, Rule } from '../policy/rules.ts';
import type { Diagnostic } from './diagnostics.ts';

/** A pattern with the rule and the place it stands in. */
export interface Use {
  readonly rule: Rule;
  /** Of the rule, in its own file. */
  readonly index: number;
  readonly host: number;
  readonly pattern: HostPattern;
}

/** All patterns of one kind of a policy's rules by their texts. */
export type UseIndex = ReadonlyMap<string, readonly Use[]>;

export function indexUses(policy: ParsedPolicy, protocol: Rule['protocol']): UseIndex {
  const index = new Map<string, Use[]>();
  const indexes = indexesInFiles(policy.rules);
  for (const [i, rule] of policy.rules.entries()) {
    if (rule.protocol !== protocol) continue;
    for (const [host, pattern] of rule.hosts.entries()) {
      const use = { rule, index: indexes[i] ?? 0, host, pattern };
      const list = index.get(pattern.text);
      if (list === undefined) index.set(pattern.text, [use]);
      else list.push(use);
    }
  }
  return index;
}

/** For each rule its index in its own file: parts of one rule share it. */
export function indexesInFiles(rules: readonly Rule[]): number[] {
  const counts = new Map<string, number>();
  return rules.map(({ name, location }, i) => {
    const isPart = name === rules[i - 1]?.name;
    const count = (counts.get(location.file) ?? 0) + (isPart ? 0 : 1);
    counts.set(location.file, count);
    return count - 1;
  });
}

/** `rules[3].presets[1]`. */
function pathOf({ rule, index, host }: Use): string {
  return `rules[${index}].${rule.hostPositions[host]?.origin?.path ?? `hosts[${host}]`}`;
}

/** Whether the host itself stands in the rule: neither preset nor bucket brought it. */
export function isWritten(place: HostPlace | undefined): boolean {
  return place?.origin === undefined || place.origin.path.startsWith('hosts[');
}

/** What brought the use into its rule, in words. */
export function describeUse({ rule, host, pattern }: Use): string {
  const preset = rule.hostPositions[host]?.origin?.preset;
  return `${JSON.stringify(pattern.text)}${preset == null ? '' : ` of preset ${preset}`}`;
}

/** `policy.yaml:14`. */
export function placeOf(use: Use): string {
  const { file, line } = locationOf(use);
  return `${file}:${line}`;
}

export function warnOf(use: Use, message: string, fix: string): Diagnostic {
  return { ...locationOf(use), path: pathOf(use), message, fix, severity: 'warning' };
}

function locationOf({ rule, host }: Use): Location {
  const { line, col } = rule.hostPositions[host] ?? rule.location;
  return { file: rule.location.file, line, col };
}
