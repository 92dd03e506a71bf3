const NOT_PLAIN = /[^ -~]/g;

/** JSON in plain ASCII, for texts that came off the wire: a terminal that it is printed to shows it and does no more. */
export function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    NOT_PLAIN,
    unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
