import { REASONS, type Reason } from '../../policy/reason.ts';
import type { SiteCount } from '../flow-tally.ts';

type Value = string | number | null;

interface Column {
  readonly name: string;
  readonly type: string;
  readonly of: (count: SiteCount) => Value;
}

/**
 * Nothing outside of what is ever counted: SQLite has no checksums, but it checks these. Texts are ASCII all of them,
 * and must be, for the driver ends the process at a text that is no UTF-8.
 */
export const ASCII = "CHECK (NAME NOT GLOB '*[^ -~]*')";
const COUNT = 'INTEGER NOT NULL CHECK (NAME >= 0)';
/** Within the years that a date can be said of. */
const TIME = 'INTEGER NOT NULL CHECK (NAME BETWEEN 0 AND 253402300799999)';
const PORT = 'INTEGER NOT NULL CHECK (NAME BETWEEN 0 AND 65535)';
const TEXT = `TEXT NOT NULL CHECK (length(NAME) BETWEEN 1 AND 253) ${ASCII}`;

/** The columns of a row, in this order everywhere. */
const COLUMNS: readonly Column[] = [
  { name: 'source', type: TEXT, of: count => count.source },
  { name: 'host', type: TEXT, of: count => count.host },
  { name: 'port', type: PORT, of: count => count.port },
  { name: 'first_seen', type: TIME, of: count => count.firstSeenMs },
  { name: 'last_seen', type: TIME, of: count => count.lastSeenMs },
  { name: 'matched', type: COUNT, of: count => count.states.MATCHED },
  { name: 'no_match', type: COUNT, of: count => count.states.NO_MATCH },
  { name: 'denied', type: COUNT, of: count => count.states.DENIED },
  { name: 'allow', type: COUNT, of: count => count.actions.allow },
  { name: 'deny', type: COUNT, of: count => count.actions.deny },
  { name: 'would_deny', type: COUNT, of: count => count.actions['would-deny'] },
  { name: 'reasons', type: `TEXT NOT NULL ${ASCII}`, of: count => writeReasons(count.reasons) },
  { name: 'ech', type: COUNT, of: count => count.ech },
  { name: 'switched', type: COUNT, of: count => count.switched },
  { name: 'protocols', type: COUNT, of: count => count.protocols },
  { name: 'last_rule', type: `TEXT ${ASCII}`, of: count => count.lastRule ?? null },
  { name: 'bytes_out', type: COUNT, of: count => count.bytesOut },
  { name: 'bytes_in', type: COUNT, of: count => count.bytesIn },
];

const NAMES = COLUMNS.map(({ name }) => name);

export const SITES_TABLE = `CREATE TABLE sites (id INTEGER PRIMARY KEY, ${COLUMNS.map(
  ({ name, type }) => `${name} ${type.replaceAll('NAME', name)}`,
).join(', ')}) STRICT`;

/** Takes a JSON list of what `siteValues` makes. */
export const PUT_SITES = `INSERT INTO sites (id, ${NAMES.join(', ')})
  SELECT ${['id', ...NAMES].map((_, i) => `value ->> ${i}`).join(', ')} FROM json_each(?) WHERE true
  ON CONFLICT DO UPDATE SET ${NAMES.map(name => `${name} = excluded.${name}`).join(', ')}`;

/** A row as a list of its columns. */
export function siteValues(id: number, count: SiteCount): Value[] {
  return [id, ...COLUMNS.map(({ of }) => of(count))];
}

/** A row as it is read. */
export interface StoredRow {
  readonly id: number;
  readonly source: string;
  readonly host: string;
  readonly port: number;
  readonly first_seen: number;
  readonly last_seen: number;
  readonly matched: number;
  readonly no_match: number;
  readonly denied: number;
  readonly allow: number;
  readonly deny: number;
  readonly would_deny: number;
  readonly reasons: string;
  readonly ech: number;
  readonly switched: number;
  readonly protocols: number;
  readonly last_rule: string | null;
  readonly bytes_out: number;
  readonly bytes_in: number;
}

export function siteOf(row: StoredRow): SiteCount {
  return {
    source: row.source,
    host: row.host,
    port: row.port,
    firstSeenMs: row.first_seen,
    lastSeenMs: row.last_seen,
    states: { MATCHED: row.matched, NO_MATCH: row.no_match, DENIED: row.denied },
    actions: { allow: row.allow, deny: row.deny, 'would-deny': row.would_deny },
    reasons: readReasons(row.reasons),
    ech: row.ech,
    switched: row.switched,
    protocols: row.protocols,
    lastRule: row.last_rule,
    bytesOut: row.bytes_out,
    bytesIn: row.bytes_in,
  };
}

/** `not_allowed=2 ech=1` */
function writeReasons(reasons: SiteCount['reasons']): string {
  return Object.entries(reasons)
    .map(([reason, flows]) => `${reason}=${flows}`)
    .join(' ');
}

/** Skips what this version knows no reason by. */
function readReasons(text: string): Partial<Record<Reason, number>> {
  const reasons: Partial<Record<Reason, number>> = {};
  for (const item of text.split(' ')) {
    const [name = '', flows = ''] = item.split('=', 2);
    if (Object.hasOwn(REASONS, name) && /^\d{1,15}$/.test(flows)) reasons[name as Reason] = Number(flows);
  }
  return reasons;
}
