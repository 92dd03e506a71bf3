import type { HeaderField } from './http-line.ts';

/** The values of all lines with a name, which is given in lower case. */
export function valuesOf(fields: readonly HeaderField[], name: string): string[] {
  return fields.filter(([field]) => field.toLowerCase() === name).map(([, value]) => value);
}

/** The elements of comma-separated lists, without the white space around them; empty ones do not count (RFC 9110 §5.6.1). */
export function listOf(values: readonly string[]): string[] {
  return values
    .flatMap(value => value.split(','))
    .map(element => element.trim())
    .filter(element => element !== '');
}
