import type { Readiness } from './readiness.ts';

/** What speaks against enforcing, a line each: for one source group, or with null for all; empty when nothing does. */
export function obstaclesToEnforcing(
  { verdict, reasons, sources }: Readiness,
  group: string | null,
): string[] {
  const concerned = sources.filter(({ source }) => group === null || source === group);
  const own = concerned.flatMap(source => source.reasons.map(reason => `${source.source}: ${reason}`));
  const isSilent = concerned.every(source => source.verdict === 'no traffic');
  const silence = group === null ? 'no traffic was seen' : `${group}: no traffic was seen`;
  return verdict === 'ready' && !isSilent ? [] : [...reasons, ...own, ...(isSilent ? [silence] : [])];
}
