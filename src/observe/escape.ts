/** Printable ASCII without space, quotes, `=` and the backslash that escapes start with. */
const UNSAFE_IN_VALUE = /[^!#-&(-<>-[\]-~]/g;
const ESCAPED = /\\(?:x([0-9a-f]{2})|u([0-9a-f]{4}))/g;
/** The same, but words may be separated by single spaces. */
const UNSAFE_IN_TEXT = /[^ !#-&(-<>-[\]-~]|(?<= ) /g;
const NOT_ASCII = /[^ -~]/g;

/**
 * Makes any string safe as the value of a `KEY=value` field: what is not plainly printable becomes `\xHH` or
 * `\uHHHH` (UTF-16 units), so no value can end its field or line, start another one, or move a terminal's cursor.
 * Reversible, since a backslash is escaped as well. An absent or empty value is `-`.
 */
export function escapeValue(value: string | null): string {
  return value === null || value === '' ? '-' : value.replace(UNSAFE_IN_VALUE, escapeUnit);
}

/** What `escapeValue` escaped. Anything else stays as it is; a dash is the caller's to judge. */
export function unescapeValue(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(ESCAPED, (_, byte: string | undefined, unit: string | undefined) =>
    String.fromCharCode(Number.parseInt(byte ?? unit ?? '', 16)),
  );
}

/** Makes any string safe as running text in a line: as `escapeValue`, with single spaces kept. */
export function escapeText(text: string): string {
  return text.replace(UNSAFE_IN_TEXT, escapeUnit);
}

/** Makes any string safe inside the quotes of a JSON string, in printable ASCII. */
export function escapeJson(text: string): string {
  return JSON.stringify(text)
    .slice(1, -1)
    .replace(NOT_ASCII, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function escapeUnit(unit: string): string {
  const code = unit.charCodeAt(0);
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`;
}
