import type { z } from 'zod';
import { type ScalarResult, scalar } from '../config/scalars.ts';
import { checkSchema } from '../config/schema-diagnostics.ts';

export type Query<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: string };

/** Holds the parameters of a URL against a schema of texts; the error names each that is wrong, and its fix. */
export function readQuery<S extends z.ZodType>(
  schema: S,
  params: Readonly<Record<string, string>>,
): Query<z.output<S>> {
  const checked = checkSchema(schema, params);
  if (checked.ok) return checked;
  const faults = checked.faults.map(({ path, message, fix, atKey }) =>
    atKey === true ? `${message} (${fix})` : `${path.join('.')}: ${message} (${fix})`,
  );
  return { ok: false, error: faults.join('; ') };
}

/** A whole number from `least` up, as text. */
export function countText(least: number) {
  return scalar('a number', [String(Math.max(least, 100))], text => parseCount(text, least));
}

function parseCount(text: string, least: number): ScalarResult<number> {
  if (/^\d{1,9}$/.test(text) && Number(text) >= least) return { ok: true, value: Number(text) };
  return {
    ok: false,
    message: `${JSON.stringify(text)} is no number from ${least} up`,
    fix: `write a whole number such as ${Math.max(least, 100)}`,
  };
}
