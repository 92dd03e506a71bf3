import type { CloseEvent, DecisionEvent, FlowObserver } from '../dataplane/events.ts';

/** How often a rule decided. Times are epoch milliseconds, null before the first. */
export interface RuleHits {
  readonly hits: number;
  readonly firstMs: number | null;
  readonly lastMs: number | null;
}

/** A rule as the running policy has it, and its hits. */
export interface RuleStatus extends RuleHits {
  readonly name: string;
  readonly action: 'allow' | 'deny';
  /** `file:line`. */
  readonly place: string;
}

const NEVER: RuleHits = { hits: 0, firstMs: null, lastMs: null };

/** Counts hits by rule name, so that they survive reloads; bounded because rule names come and go with them. */
export class RuleHitCounter implements FlowObserver {
  readonly #byName = new Map<string, RuleHits>();

  decided({ rule, timeMs }: DecisionEvent): void {
    if (rule === null) return;
    const before = this.hits(rule);
    this.#byName.set(rule, { hits: before.hits + 1, firstMs: before.firstMs ?? timeMs, lastMs: timeMs });
  }

  closed(_event: CloseEvent): void {}

  hits(rule: string): RuleHits {
    return this.#byName.get(rule) ?? NEVER;
  }

  /** Forgets the rules that are not among `names`. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const name of this.#byName.keys()) if (!names.has(name)) this.#byName.delete(name);
  }
}
