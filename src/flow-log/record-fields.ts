import type { Action, State } from '../policy/decision.ts';

/** The verdict that a log names; null when it is none. */
export function asState(value: unknown): State | null {
  return value === 'MATCHED' || value === 'NO_MATCH' || value === 'DENIED' ? value : null;
}

/** What a log says was done; null when it is nothing known. */
export function asAction(value: unknown): Action | null {
  return value === 'allow' || value === 'deny' || value === 'would-deny' ? value : null;
}

export function asPort(value: unknown): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65535 ? value : null;
}

/** Longer than any hostname, address, reason or name of a rule: what is cut here is none of these before or after. */
const MAX_TEXT = 300;

/** Absent values are missing, null, empty or a dash. */
export function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value !== '' && value !== '-' ? value.slice(0, MAX_TEXT) : null;
}

/** So many flows at most hide behind one record: a log that claims more is not believed. */
const MAX_SUPPRESSED = 999_999_999;

/** How many flows a record stands for by its `suppressed`; null when that is no count. */
export function asFlows(suppressed: unknown): number | null {
  if (suppressed === undefined || suppressed === null) return 1;
  if (typeof suppressed !== 'number' || !Number.isInteger(suppressed)) return null;
  return suppressed < 0 || suppressed > MAX_SUPPRESSED ? null : suppressed + 1;
}

const ISO_TIME = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)$/i;

/** An ISO 8601 time with its offset, or a number of epoch seconds to nanoseconds, as epoch milliseconds. */
export function asTimeMs(value: unknown): number | null {
  if (typeof value === 'number') return numberAsTimeMs(value);
  if (typeof value !== 'string') return null;
  if (/^\d{10,19}$/.test(value)) return numberAsTimeMs(Number(value));
  if (!ISO_TIME.test(value)) return null;
  const normal = value
    .replace(' ', 'T')
    .replace(',', '.')
    .replace(/([+-]\d\d)(\d\d)$/, '$1:$2');
  const timeMs = Date.parse(normal);
  return Number.isNaN(timeMs) ? null : timeMs;
}

/** Later than any log's time in the unit before. */
const LAST_MS = 253_402_300_799_999;

/** Tells the unit by the size: epoch milliseconds lie between 2001 and 9999 there, and in no other unit. */
function numberAsTimeMs(value: number): number | null {
  if (!Number.isFinite(value) || value < 0) return null;
  let timeMs = value < 1e11 ? value * 1_000 : value;
  while (timeMs > LAST_MS) timeMs /= 1_000;
  return Math.floor(timeMs);
}
