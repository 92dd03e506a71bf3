import type { SeenFlow } from './seen-flow.ts';
import { type Seen, SourceTally } from './source-tally.ts';

/** Enough for any log that a person reads the outcome of. */
const MAX_GROUPS = 20_000;

/** Counts flows by group, in bounded memory; `T` is what is said of a group. */
export class FlowGroups<T extends object> {
  readonly #groups = new Map<string, { readonly about: T; readonly tally: SourceTally }>();
  #notListed = 0;

  /** Flows that found no room. */
  get notListed(): number {
    return this.#notListed;
  }

  /** `about` is asked for the first flow of a group. */
  add(key: string, flow: SeenFlow, about: () => T): void {
    let group = this.#groups.get(key);
    if (group === undefined) {
      if (this.#groups.size >= MAX_GROUPS) {
        this.#notListed += flow.flows;
        return;
      }
      group = { about: about(), tally: new SourceTally() };
      this.#groups.set(key, group);
    }
    group.tally.add(flow);
  }

  /** In the order first seen. */
  list(): (T & Seen)[] {
    return [...this.#groups.values()].map(({ about, tally }) => ({ ...about, ...tally.seen }));
  }
}
