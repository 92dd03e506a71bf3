import type { SuffixGuard } from './public-suffix.ts';
import { hasOneOwner } from './suggest-domains.ts';
import { groupUnits, type Unit } from './suggest-units.ts';

/** A wildcard that takes the place of the hosts it was made from. */
export interface Wildcard {
  /** `*.cdn.example.com`. */
  readonly pattern: string;
  /** At least as many as are asked for. */
  readonly units: readonly Unit[];
}

export interface WildcardOptions {
  /** So many hosts of one parent make a wildcard; Infinity for none. */
  readonly minSiblings: number;
  /** Parents of hosts that something speaks against: a wildcard would allow them. */
  readonly barredParents: ReadonlySet<string>;
  readonly guard: SuffixGuard;
}

/** Finds the wildcards among units that agree in ports, sources and the rest, and what remains without one. */
export function findWildcards(
  units: readonly Unit[],
  { minSiblings, barredParents, guard }: WildcardOptions,
): { readonly wildcards: readonly Wildcard[]; readonly rest: readonly Unit[] } {
  const wildcards: Wildcard[] = [];
  const rest: Unit[] = [];
  for (const siblings of groupUnits(units, ({ host }) => parentOf(host))) {
    const parent = parentOf(siblings[0]?.host ?? '');
    const fits = siblings.length >= minSiblings && !barredParents.has(parent) && hasOneOwner(parent, guard);
    if (fits) wildcards.push({ pattern: `*.${parent}`, units: siblings });
    else rest.push(...siblings);
  }
  return { wildcards, rest };
}

/** What stands after the first label; empty for a single label. */
export function parentOf(host: string): string {
  const dot = host.indexOf('.');
  return dot < 0 ? '' : host.slice(dot + 1);
}
