import type { LogLine } from './lab-daemon.ts';
import type { Town } from './town.ts';

/** Fields of a decision record, with what they must be. */
export type Fields = Readonly<Record<string, unknown>>;

/** One thing that is tried in the lab. */
export interface Row {
  /** In words, with the family where there is one for each. */
  readonly tried: string;
  /** Why it cannot be tried on this host; null or absent: it can. */
  readonly obstacle?: string | null;
  /** Does it, and says in a line what came of it. */
  act(town: Town): Promise<string>;
  /** What must be in that line. */
  readonly happens: string | RegExp;
  /** The decision records that it must make, in order, and no others. */
  readonly decisions: readonly Fields[];
}

export interface Chapter {
  readonly title: string;
  readonly rows: readonly Row[];
}

export interface RowResult {
  readonly row: Row;
  readonly happened: string;
  readonly decisions: readonly LogLine[];
  /** Why it was not tried; null: it was. */
  readonly skipped: string | null;
  /** What is not as it must be; none: the row is ok. */
  readonly faults: readonly string[];
}

/** Tries one row. Never rejects: what breaks is a fault. */
export async function runRow(row: Row, town: Town): Promise<RowResult> {
  const { obstacle = null } = row;
  if (obstacle !== null) return { row, happened: '', decisions: [], skipped: obstacle, faults: [] };
  const faults: string[] = [];
  let happened = '';
  let decisions: readonly LogLine[] = [];
  try {
    happened = await row.act(town);
    if (!isIn(happened, row.happens)) faults.push(`this must have happened: ${row.happens}`);
    decisions = await town.daemon.decisions(row.decisions.length);
  } catch (error) {
    faults.push(error instanceof Error ? error.message : String(error));
  }
  for (const [i, record] of decisions.entries()) faults.push(...recordFaults(record, row.decisions[i]));
  if (decisions.length < row.decisions.length) {
    faults.push(`${decisions.length} decision records, not ${row.decisions.length}`);
  }
  return { row, happened, decisions, skipped: null, faults };
}

function recordFaults(record: LogLine, expected: Fields | undefined): string[] {
  if (expected === undefined) return [`the daemon has heard of it: ${record.msg}`];
  return Object.entries(expected)
    .filter(([key, value]) => record[key] !== value)
    .map(([key, value]) => `${key} is ${JSON.stringify(record[key])}, not ${JSON.stringify(value)}`);
}

function isIn(text: string, wanted: string | RegExp): boolean {
  return typeof wanted === 'string' ? text.includes(wanted) : wanted.test(text);
}
