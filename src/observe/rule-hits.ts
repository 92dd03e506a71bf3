import type { RuleCount } from './flow-tally.ts';

/** How often a rule decided. Times are epoch milliseconds, those of hits null before the first. */
export interface HitCount {
  /** From when on hits are counted: since the last reset or, for a rule that came later, since then. */
  readonly sinceMs: number;
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

/** Hears which rules' counts change. */
export interface RuleJournal {
  ruleChanged(name: string): void;
  ruleGone(name: string): void;
}

/** Hits by rule name, so that they survive reloads. */
export class RuleHits {
  readonly #byName = new Map<string, HitCount>();
  #journal: RuleJournal | null = null;

  /** Tells `journal` of all changes from now on. */
  tell(journal: RuleJournal): void {
    this.#journal = journal;
  }

  add(counts: readonly RuleCount[]): void {
    for (const { rule, hits, firstMs, lastMs } of counts)
      this.#set(rule, { sinceMs: firstMs, hits, firstMs, lastMs });
  }

  /** Adds what was counted before this process. */
  restore(rule: string, count: HitCount): void {
    this.#set(rule, count);
  }

  /** Begins to count a rule, unless it is counted already. */
  follow(rule: string, nowMs: number): void {
    if (!this.#byName.has(rule)) this.#set(rule, { sinceMs: nowMs, hits: 0, firstMs: null, lastMs: null });
  }

  /** Undefined for a rule that was never followed nor hit. */
  of(rule: string): HitCount | undefined {
    return this.#byName.get(rule);
  }

  /** The rules that are counted. */
  names(): IterableIterator<string> {
    return this.#byName.keys();
  }

  /** Rule names come and go with reloads. */
  forget(rule: string): void {
    if (this.#byName.delete(rule)) this.#journal?.ruleGone(rule);
  }

  /** Counts anew from `nowMs` on. */
  reset(nowMs: number): void {
    for (const rule of this.#byName.keys()) {
      this.#byName.set(rule, { sinceMs: nowMs, hits: 0, firstMs: null, lastMs: null });
      this.#journal?.ruleChanged(rule);
    }
  }

  #set(rule: string, more: HitCount): void {
    const before = this.#byName.get(rule);
    // Reports of several threads overlap.
    this.#byName.set(rule, before === undefined ? more : sum(before, more));
    this.#journal?.ruleChanged(rule);
  }
}

function sum(a: HitCount, b: HitCount): HitCount {
  return {
    sinceMs: Math.min(a.sinceMs, b.sinceMs),
    hits: a.hits + b.hits,
    firstMs:
      a.firstMs === null || b.firstMs === null ? (a.firstMs ?? b.firstMs) : Math.min(a.firstMs, b.firstMs),
    lastMs: a.lastMs === null || b.lastMs === null ? (a.lastMs ?? b.lastMs) : Math.max(a.lastMs, b.lastMs),
  };
}
