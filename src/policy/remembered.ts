const MAX_KNOWN = 100_000;

/** Keeps what `make` makes of a text, for so many texts as fit; then it starts anew. */
export function remembered<T>(known: Map<string, T>, text: string, make: (text: string) => T): T {
  let value = known.get(text);
  if (value === undefined) {
    value = make(text);
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(text, value);
  }
  return value;
}
