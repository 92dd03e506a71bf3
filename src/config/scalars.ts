import { z } from 'zod';

/** Kinds of text that a configuration value may hold, parsed to what the program works with. */
export type ScalarResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly message: string; readonly fix: string };

/** A string schema whose text goes through `parse`; `examples` serve the JSON Schema and the fixes. */
export function scalar<T>(kind: string, examples: string[], parse: (text: string) => ScalarResult<T>) {
  return z
    .string()
    .meta({ title: kind, examples })
    .transform((text, context): T => {
      const parsed = parse(text);
      if (parsed.ok) return parsed.value;
      context.addIssue({ code: 'custom', message: parsed.message, params: { fix: parsed.fix } });
      return z.NEVER;
    });
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: HOUR_MS,
  d: DAY_MS,
};
const SIZE_UNITS: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 * 1024 };
/** Node's timers and the wire's keepalives hold no more. */
const MAX_DURATION_MS = 7 * DAY_MS;

/** `250ms`, `5s`, `2m`, `1h`, `7d` to milliseconds: whole numbers, from `least` to `most`, a week unless said. */
export function parseDuration(text: string, leastMs: number, mostMs = MAX_DURATION_MS): ScalarResult<number> {
  const value = parseQuantity(text, DURATION_UNITS);
  if (value === null) {
    const fix = /^\d+$/.test(text)
      ? `write the unit, such as ${text}s`
      : 'write a whole number and ms, s, m, h or d, such as 5s';
    return { ok: false, message: `${JSON.stringify(text)} is no duration`, fix };
  }
  if (value < leastMs)
    return { ok: false, message: `${text} is too short`, fix: `write at least ${leastMs}ms` };
  if (value > mostMs)
    return { ok: false, message: `${text} is too long`, fix: `write at most ${mostMs / HOUR_MS}h` };
  return { ok: true, value };
}

/** `512B`, `64KiB`, `1MiB` to bytes: whole numbers, from `least` to `most`. */
export function parseSize(text: string, least: number, most: number): ScalarResult<number> {
  const value = parseQuantity(text, SIZE_UNITS);
  if (value === null) {
    const fix = /^\d+$/.test(text)
      ? `write the unit, such as ${text}B`
      : 'write a whole number and B, KiB or MiB, such as 64KiB';
    return { ok: false, message: `${JSON.stringify(text)} is no size`, fix };
  }
  if (value < least) return { ok: false, message: `${text} is too small`, fix: `write at least ${least}B` };
  if (value > most)
    return { ok: false, message: `${text} is too large`, fix: `write at most ${most / 1024}KiB` };
  return { ok: true, value };
}

const DATE =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?) ?([Zz]|[+-]\d{2}:\d{2}))?$/;

/**
 * An ISO 8601 date or date-time (with its offset) to epoch milliseconds. A date without a time is UTC, and means the
 * start of that day or the end of it.
 */
export function parseDate(text: string, dateMeans: 'start' | 'end'): ScalarResult<number> {
  const match = DATE.exec(text);
  if (match === null) {
    const fix = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}/.test(text)
      ? `say the time zone, such as ${text.slice(0, 19)}Z`
      : 'write 2027-01-31 or 2027-01-31T00:00:00Z';
    return { ok: false, message: `${JSON.stringify(text)} is no ISO 8601 date`, fix };
  }
  const [, year = '', month = '', day = '', time, offset = 'Z'] = match;
  const midnight = Date.UTC(Number(year), Number(month) - 1, Number(day));
  // Date.UTC turns February 30 into March 2; a calendar does not.
  const isReal = new Date(midnight).toISOString().startsWith(`${year}-${month}-${day}`);
  const moment =
    time === undefined ? midnight : Date.parse(`${year}-${month}-${day}T${time}${offset.toUpperCase()}`);
  if (!isReal || Number.isNaN(moment)) {
    return {
      ok: false,
      message: `${JSON.stringify(text)} is on no calendar or clock`,
      fix: 'correct the date',
    };
  }
  return { ok: true, value: time === undefined && dateMeans === 'end' ? moment + DAY_MS : moment };
}

const NAME = /^[A-Za-z0-9._-]{1,128}$/;

/** A name that stands in logs, metrics and commands: no space, quote or control character can forge a line there. */
export function parseName(text: string): ScalarResult<string> {
  if (NAME.test(text)) return { ok: true, value: text };
  const safe = text
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 128);
  const fix =
    safe === '' ? 'use letters, digits, dots, underscores and hyphens' : `write ${JSON.stringify(safe)}`;
  return { ok: false, message: 'a name holds 1 to 128 letters, digits, dots, underscores and hyphens', fix };
}

function parseQuantity(text: string, units: Readonly<Record<string, number>>): number | null {
  const match = /^(\d{1,9})([A-Za-z]+)$/.exec(text);
  const unit = Object.hasOwn(units, match?.[2] ?? '') ? units[match?.[2] ?? ''] : undefined;
  return unit === undefined ? null : Number(match?.[1]) * unit;
}
