import type { ParsedPolicy, SourceGroup } from '../policy/rules.ts';

/** Somebody whom a change enforces, or enforces sooner. */
export interface SoonerEnforced {
  /** The name of a source group; null: the policy itself. */
  readonly source: string | null;
  /** Epoch milliseconds; negative infinity: at once. */
  readonly fromMs: number;
}

/** Whom `after` enforces that `before` did not, or sooner than it did; null: nobody knows what was before. */
export function soonerEnforced(before: ParsedPolicy | null, after: ParsedPolicy): SoonerEnforced[] {
  const [old, now] = [groupsOf(before), groupsOf(after)];
  const found: SoonerEnforced[] = [];
  const hold = (source: string | null, wasMs: number, fromMs: number) => {
    if (fromMs < wasMs) found.push({ source, fromMs });
  };
  hold(null, policyStart(before), policyStart(after));
  for (const name of new Set([...old.keys(), ...now.keys()])) {
    const [was, is] = [old.get(name), now.get(name)];
    const isWider = is?.mode === 'enforce' && was?.mode === 'enforce' && blocks(is) !== blocks(was);
    hold(name, isWider ? Number.POSITIVE_INFINITY : groupStart(before, was), groupStart(after, is));
  }
  return found;
}

function groupsOf(policy: ParsedPolicy | null): Map<string, SourceGroup> {
  return new Map(policy?.sources.map(group => [group.name, group]));
}

/** From when on a policy enforces; infinity: never. */
function policyStart(policy: ParsedPolicy | null): number {
  if (policy === null) return Number.POSITIVE_INFINITY;
  return policy.mode === 'enforce'
    ? Number.NEGATIVE_INFINITY
    : (policy.observeUntilMs ?? Number.POSITIVE_INFINITY);
}

/** The same for a group; one that is not there is as the policy itself. */
function groupStart(policy: ParsedPolicy | null, group: SourceGroup | undefined): number {
  if (group === undefined || group.mode === null) return policyStart(policy);
  return group.mode === 'enforce' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

function blocks(group: SourceGroup | undefined): string {
  return group?.cidrs.map(String).sort().join(' ') ?? '';
}
