import { parseDate, parseDuration, type ScalarResult } from './scalars.ts';

const LONGEST_MS = 10 * 366 * 24 * 3_600_000;

/** `7d`, `36h` (that long before now) or an ISO 8601 date to epoch milliseconds; a date without a time is its start in UTC. */
export function parseMoment(text: string, nowMs: number): ScalarResult<number> {
  const ago = parseDuration(text, 0, LONGEST_MS);
  if (ago.ok) return { ok: true, value: nowMs - ago.value };
  const date = parseDate(text, 'start');
  // What looks like a date is told what is wrong with the date.
  if (date.ok || /^\d{4}-/.test(text)) return date;
  return {
    ok: false,
    message: `${JSON.stringify(text)} is no moment`,
    fix: 'write 7d, 36h, 2027-01-31 or 2027-01-31T00:00:00Z',
  };
}
