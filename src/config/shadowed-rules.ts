import { type HostPattern, patternMatches } from '../policy/pattern.ts';
import type { Rule } from '../policy/rules.ts';
import { compareRules } from '../policy/specificity.ts';
import type { Diagnostic } from './diagnostics.ts';
import { describeUse, isWritten, placeOf, type Use, type UseIndex, warnOf } from './rule-uses.ts';

/** So many rules with one pattern, and so many globs before one name, are held against a rule. */
const COMPARED = 32;

/** Two rules of one action that match the same: only one of them ever decides. */
export function findDuplicates(uses: UseIndex): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const list of uses.values()) {
    if (list.length < 2) continue;
    const deciding = new Map<string, Use>();
    for (const use of list) {
      const { rule } = use;
      const key = `${rule.action} ${rule.ports.join(',')} ${sourceKey(rule)} ${rule.untilMs}`;
      const other = deciding.get(key);
      if (other === undefined) {
        deciding.set(key, use);
        continue;
      }
      const isSame = other.rule.name === rule.name;
      const [first, second] = isSame || compareRules(other.rule, rule) < 0 ? [other, use] : [use, other];
      if (!isSame) deciding.set(key, first);
      // Nobody can take a host out of a preset, and presets overlap.
      if (!isMendable(second)) {
        if (isMendable(first) && hasSameEffect(second.rule, first.rule)) {
          const message = `allowed already: rule ${second.rule.name} (${placeOf(second)}) allows ${describeUse(second)}`;
          found.push(warnOf(first, message, 'remove one of the two'));
        }
        continue;
      }
      const text = JSON.stringify(use.pattern.text);
      const message = isSame
        ? `${text} stands in this rule twice`
        : `${text} is decided by rule ${first.rule.name} (${placeOf(first)}), never by this one`;
      found.push(warnOf(second, message, 'remove one of the two'));
    }
  }
  return found;
}

/**
 * Allow rules that change nothing: a deny rule takes their every match, or a wider pattern of another allow rule with
 * the same effect has it. Found are coverings by the same pattern, by `*` or a glob in the first label, and by `**`.
 */
export function findShadowed(uses: UseIndex): Diagnostic[] {
  const found: Diagnostic[] = [];
  const wildcards = new Wildcards(uses);
  for (const list of uses.values()) {
    for (const use of list) {
      if (use.rule.action === 'deny') continue;
      const covering = wildcards.covering(use.pattern);
      const wider = list.length === 1 ? covering : [...list.slice(0, COMPARED), ...covering];
      if (wider.length === 0) continue;
      const denial = wider.find(({ rule }) => rule.action === 'deny' && coversConditions(rule, use.rule));
      if (denial !== undefined) {
        const message = `never allowed: rule ${denial.rule.name} (${placeOf(denial)}) denies ${describeUse(denial)}`;
        found.push(warnOf(use, message, 'remove one of the two'));
        continue;
      }
      if (!isWritten(use.rule.hostPositions[use.host])) continue;
      const other = wider.find(
        ({ rule, pattern }) =>
          rule.action === 'allow' && pattern.text !== use.pattern.text && hasSameEffect(rule, use.rule),
      );
      if (other === undefined) continue;
      const message = `allowed already: rule ${other.rule.name} (${placeOf(other)}) allows ${describeUse(other)}`;
      found.push(warnOf(use, message, 'remove one of the two'));
    }
  }
  return found;
}

/** The patterns that begin with a wildcard, by what follows it. */
class Wildcards {
  /** `*` and globs such as `team-*`. */
  readonly #labels = new Map<string, Use[]>();
  readonly #deep = new Map<string, Use[]>();

  constructor(uses: UseIndex) {
    for (const [text, list] of uses) {
      const { labels, deep } = list[0]?.pattern ?? { labels: [], deep: false };
      if (!deep && !labels[0]?.includes('*')) continue;
      const map = deep ? this.#deep : this.#labels;
      const rest = text.slice(text.indexOf('.') + 1);
      const others = map.get(rest);
      if (others === undefined) map.set(rest, list.slice(0, COMPARED));
      else if (others.length < COMPARED) others.push(...list.slice(0, COMPARED));
    }
  }

  /** The uses whose patterns match whatever another one matches, its own text excepted. */
  covering({ text, labels, deep }: HostPattern): Use[] {
    const found: Use[] = [];
    if (this.#deep.size === 0 && this.#labels.size === 0) return found;
    let rest = deep ? text.slice(3) : text;
    for (let i = 1; i < labels.length; i++) {
      rest = rest.slice(rest.indexOf('.') + 1);
      if (i === 1 && !deep) {
        for (const use of this.#labels.get(rest) ?? []) if (covers(use.pattern, text)) found.push(use);
      }
      const wider = this.#deep.get(rest);
      if (wider !== undefined) found.push(...wider);
    }
    return found;
  }
}

/** A glob matches all that another one does when it matches its text, the star taken for a character. */
function covers(pattern: HostPattern, text: string): boolean {
  const star = pattern.text.indexOf('*');
  // Most differ in what stands before the star, which is quickly seen.
  return (
    pattern.text !== text && text.startsWith(pattern.text.slice(0, star)) && patternMatches(pattern, text)
  );
}

/** Whether the warning can be answered: the host, or the bucket that brings it, can be taken out of the rule. */
function isMendable({ rule, host }: Use): boolean {
  return (rule.hostPositions[host]?.origin?.preset ?? null) === null;
}

/** Whether nothing changes for what both rules allow when the narrow one goes. */
export function hasSameEffect(wider: Rule, narrow: Rule): boolean {
  return (
    wider.allowPrivate === narrow.allowPrivate && wider.ech === narrow.ech && coversConditions(wider, narrow)
  );
}

/** Whether a rule matches whenever another one does, as far as `until`, ports and sources go. */
export function coversConditions(wider: Rule, narrow: Rule): boolean {
  if (wider.untilMs !== null && (narrow.untilMs === null || narrow.untilMs > wider.untilMs)) return false;
  if (!narrow.ports.every(port => wider.ports.includes(port))) return false;
  if (wider.from.length === 0) return true;
  const sources = new Set(wider.from.map(item => item.text));
  return narrow.from.length > 0 && narrow.from.every(item => sources.has(item.text));
}

function sourceKey(rule: Rule): string {
  if (rule.from.length === 0) return '';
  return rule.from
    .map(item => item.text)
    .sort()
    .join(',');
}
