import { isoTime } from './iso-time.ts';
import type { Site, SourceSite } from './site-query.ts';

type Column<S> = readonly [name: string, cell: (site: S) => string | number];

const FACTS: readonly Column<Site | SourceSite>[] = [
  ['host', site => site.host],
  ['protocol', site => site.protocol],
  ['port', site => site.port],
  ['first_seen', site => isoTime(site.firstSeenMs)],
  ['last_seen', site => isoTime(site.lastSeenMs)],
  ['flows', site => site.flows],
  ['allow', site => site.actions.allow],
  ['deny', site => site.actions.deny],
  ['would_deny', site => site.actions['would-deny']],
  ['matched', site => site.states.MATCHED],
  ['no_match', site => site.states.NO_MATCH],
  ['denied', site => site.states.DENIED],
  ['reasons', site => listOf(Object.entries(site.reasons).map(([reason, flows]) => `${reason}=${flows}`))],
  ['ech', site => site.ech],
  ['mismatches', site => site.mismatches],
  ['spoke', site => listOf(site.spoke)],
  ['last_rule', site => site.lastRule ?? ''],
  ['bytes_out', site => site.bytesOut],
  ['bytes_in', site => site.bytesIn],
];

/** The sites as CSV (RFC 4180) with a heading; spaces stand between the items of a cell. */
export function sitesCsv(sites: readonly Site[]): string {
  return csv([...FACTS, ['sources', site => site.sources]], sites);
}

/** The same for each source apart. */
export function sourceSitesCsv(sites: readonly SourceSite[]): string {
  return csv([['source', site => site.source], ['groups', site => listOf(site.groups)], ...FACTS], sites);
}

function csv<S>(columns: readonly Column<S>[], sites: readonly S[]): string {
  const rows = sites.map(site => columns.map(([, cell]) => quote(String(cell(site)))));
  return [columns.map(([name]) => name), ...rows].map(cells => `${cells.join(',')}\r\n`).join('');
}

function listOf(items: readonly string[]): string {
  return items.join(' ');
}

function quote(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
