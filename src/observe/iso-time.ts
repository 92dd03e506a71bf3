/** ISO 8601, UTC, milliseconds. */
export function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

/** The same for times that mostly lie in one second, whose text it keeps. */
export class IsoClock {
  #second = Number.NaN;
  #text = '';

  /** The text up to and with the point before the milliseconds. */
  secondsOf(timeMs: number): string {
    const second = Math.floor(timeMs / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#text = isoTime(second * 1_000).slice(0, -4);
    }
    return this.#text;
  }
}
