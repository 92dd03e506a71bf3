import { IpAddress } from '../policy/address.ts';
import type { BlockSet } from '../policy/source-groups.ts';
import { addPoint, type SeriesPoint, type SiteSeries } from './site-series.ts';
import type { SiteRow } from './sites.ts';

/** What was done in one step of time. `timeMs` is its beginning, epoch milliseconds. */
export interface TrendPoint extends Readonly<SeriesPoint> {
  readonly timeMs: number;
}

export interface TrendFilter {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly sources?: BlockSet | undefined;
}

/** Whether all rows are meant. */
export function isEverything({ host, port, sources }: TrendFilter): boolean {
  return host === undefined && port === undefined && sources === undefined;
}

/** Which rows a filter means. */
export function trendRows(rows: Iterable<SiteRow>, { host, port, sources }: TrendFilter): Set<SiteRow> {
  const wanted = new Set<SiteRow>();
  for (const row of rows) {
    if (host !== undefined && row.count.host !== host) continue;
    if (port !== undefined && row.count.port !== port) continue;
    const address = sources === undefined ? null : IpAddress.parse(row.count.source);
    if (sources === undefined || (address !== null && sources.holds(address))) wanted.add(row);
  }
  return wanted;
}

/** Sums up series, from the step of `sinceMs` on, in the order of time. `wanted` null: all rows. */
export function trendOf(
  series: readonly SiteSeries[],
  wanted: ReadonlySet<SiteRow> | null,
  sinceMs: number,
): TrendPoint[] {
  const sums = new Map<number, SeriesPoint>();
  for (const one of series) {
    const { stepMs } = one.options;
    const first = Math.floor(sinceMs / stepMs);
    for (const [step, row, point] of one.entries()) {
      if (step >= first && (wanted === null || wanted.has(row))) addTo(sums, step * stepMs, point);
    }
  }
  return sorted(sums);
}

/** Adds up trends of the same step. */
export function mergeTrends(...trends: readonly (readonly TrendPoint[])[]): TrendPoint[] {
  const sums = new Map<number, SeriesPoint>();
  for (const { timeMs, ...point } of trends.flat()) addTo(sums, timeMs, point);
  return sorted(sums);
}

function addTo(sums: Map<number, SeriesPoint>, timeMs: number, point: SeriesPoint): void {
  const sum = sums.get(timeMs);
  if (sum === undefined) sums.set(timeMs, { ...point });
  else addPoint(sum, point);
}

function sorted(sums: ReadonlyMap<number, SeriesPoint>): TrendPoint[] {
  return [...sums].map(([timeMs, point]) => ({ timeMs, ...point })).sort((a, b) => a.timeMs - b.timeMs);
}
