import { escapeText, escapeValue } from './escape.ts';
import { isoTime } from './iso-time.ts';
import type { Readiness, ReadinessThresholds, SourceReadiness } from './readiness.ts';

/** What `readiness` prints: the verdict, each source with what speaks against it, and what else is worth a look. */
export function formatReadiness({
  verdict,
  reasons,
  sources,
  rulesNeverHit,
  sinceMs,
  thresholds,
}: Readiness): string {
  return [
    `${verdict}: counted since ${isoTime(sinceMs)}; ${formatThresholds(thresholds)}`,
    ...reasons.map(reason => `  - ${reason}`),
    ...sources.flatMap(formatSource),
    ...(rulesNeverHit.count === 0
      ? []
      : [
          '',
          `rules never hit: ${rulesNeverHit.count} (${listOf(rulesNeverHit.names, rulesNeverHit.count)})`,
        ]),
  ]
    .map(line => `${line}\n`)
    .join('');
}

function formatThresholds({ minDays, quietHours, maxDrops, calendar }: ReadinessThresholds): string {
  const inside = calendar === 'none' ? '' : ` with a ${calendar.replace('-', ' ')} inside`;
  return `asked for ${minDays} days${inside}, ${quietHours} hours without a new site, at most ${maxDrops} flows dropped`;
}

function formatSource(source: SourceReadiness): string[] {
  const { verdict, reasons, addresses, sites, flows, daysWatched, hoursSinceNewSite, drops } = source;
  const heading = ['', `${source.source}: ${verdict}`];
  if (hoursSinceNewSite === null) return heading;
  return [
    ...heading,
    `  ${flows} flows from ${addresses} addresses to ${sites} sites in ${daysWatched.toFixed(1)} days; no new site for ${hoursSinceNewSite.toFixed(1)} hours`,
    ...(source.ech + source.mismatches === 0
      ? []
      : [`  ${source.ech} flows with ECH, ${source.mismatches} with a mismatch`]),
    ...reasons.map(reason => `  - ${reason}`),
    ...drops.top.map(
      ({ host, port, flows, reason, lastSeenMs }) =>
        `      ${escapeValue(host)}:${port}  ${flows} flows  ${reason}  last ${isoTime(lastSeenMs)}`,
    ),
    ...(drops.sites > drops.top.length ? [`      and ${drops.sites - drops.top.length} more sites`] : []),
  ];
}

function listOf(names: readonly string[], count: number): string {
  const shown = names.map(escapeText).join(', ');
  return names.length < count ? `${shown}, …` : shown;
}
