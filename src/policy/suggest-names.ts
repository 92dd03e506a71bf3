/** Rules and groups have names of at most 128 characters; what is cut leaves room for a number. */
const MAX_LENGTH = 100;

/** Gives names that are not taken, neither by others nor by one another. */
export class SuggestedNames {
  readonly #taken: Set<string>;
  /** By name, the last number behind it. */
  readonly #numbers = new Map<string, number>();

  constructor(taken: Iterable<string>) {
    this.#taken = new Set(taken);
  }

  /** The name itself, or with the next number behind it. `base` holds letters, digits, dots, hyphens, underscores. */
  take(base: string): string {
    const short = base.slice(0, MAX_LENGTH);
    let name = short;
    let number = this.#numbers.get(short) ?? 1;
    while (this.#taken.has(name)) name = `${short}-${++number}`;
    this.#numbers.set(short, number);
    this.#taken.add(name);
    return name;
  }
}
