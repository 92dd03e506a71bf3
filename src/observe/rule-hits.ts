import type { RuleCount } from './flow-tally.ts';

/** How often a rule decided. Times are epoch milliseconds, null before the first. */
export interface HitCount {
  readonly hits: number;
  readonly firstMs: number | null;
  readonly lastMs: number | null;
}

/** A rule as the running policy has it, and its hits. */
export interface RuleStatus extends HitCount {
  readonly name: string;
  readonly action: 'allow' | 'deny';
  /** `file:line`. */
  readonly place: string;
}

const NEVER: HitCount = { hits: 0, firstMs: null, lastMs: null };

/** Hits by rule name, so that they survive reloads. */
export class RuleHits {
  readonly #byName = new Map<string, HitCount>();

  add(counts: readonly RuleCount[]): void {
    for (const { rule, hits, firstMs, lastMs } of counts) {
      const before = this.of(rule);
      // Reports of several threads overlap.
      this.#byName.set(rule, {
        hits: before.hits + hits,
        firstMs: Math.min(before.firstMs ?? firstMs, firstMs),
        lastMs: Math.max(before.lastMs ?? lastMs, lastMs),
      });
    }
  }

  of(rule: string): HitCount {
    return this.#byName.get(rule) ?? NEVER;
  }

  clear(): void {
    this.#byName.clear();
  }

  /** The rules that have hits. */
  names(): IterableIterator<string> {
    return this.#byName.keys();
  }

  /** Rule names come and go with reloads. */
  forget(rule: string): void {
    this.#byName.delete(rule);
  }
}
