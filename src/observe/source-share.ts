import type { DecisionEvent, FlowIdentity } from '../dataplane/events.ts';
import { FoldTable } from './fold-table.ts';

/**
 * Lines of their own that the refused flows of a source get in a window: more than a client at work fills, and no flood.
 * After a window in which more than as many again went without, the source gets none.
 */
const LINES = 500;
/** Stands in records in which several names are counted. */
const SEVERAL = 'several-names';

/**
 * What one source may say in a window by asking for ever other names: so many lines of refused flows are its own, over
 * all threads, those beyond are counted and said by one line that names the source alone. Sources are apart, so one that
 * floods takes no line from another.
 */
export class SourceShare {
  readonly #table: FoldTable;
  /** The latest that was counted, by source. Their number stands in the shared table. */
  readonly #counted = new Map<string, DecisionEvent>();
  readonly #say: (event: DecisionEvent, suppressed: number) => void;

  /** `table`: from `createFoldTable`, for this alone. `say` writes a record that stands for `suppressed` more. */
  constructor(
    table: SharedArrayBuffer,
    windowMs: number,
    say: (event: DecisionEvent, suppressed: number) => void,
  ) {
    this.#table = new FoldTable(table, windowMs);
    this.#say = say;
  }

  /** Whether something waits to be said at the end of its window. */
  get isHolding(): boolean {
    return this.#counted.size > 0;
  }

  /** Whether the source has lines left. */
  hasLeft(event: DecisionEvent, timeMs: number): boolean {
    const slot = this.#slotOf(event.srcIp, timeMs);
    const before = this.#table.open(slot, timeMs) ?? 0;
    if (before > 0) this.#sayFor(event, before);
    if (before > LINES) this.#table.spend(slot, LINES);
    return this.#table.spent(slot) < LINES;
  }

  /** Takes a line of its own for a flow, if there is one left. */
  take(event: DecisionEvent, timeMs: number): boolean {
    return this.hasLeft(event, timeMs) && this.#table.spend(this.#slotOf(event.srcIp, timeMs)) < LINES;
  }

  /** Counts a flow that got no line, and `more` that it stands for. */
  count(event: DecisionEvent, timeMs: number, more: number): void {
    this.#table.count(this.#slotOf(event.srcIp, timeMs), 1 + more);
    this.#counted.set(event.srcIp, event);
  }

  /** Says what was counted in windows that are over, or in all. */
  release(nowMs: number, all: boolean): void {
    for (const [source, event] of this.#counted) {
      const slot = this.#slotOf(source, nowMs);
      const count = all ? this.#table.take(slot) : this.#table.open(slot, nowMs);
      if (count === null) continue;
      this.#counted.delete(source);
      // Zero: another thread has said it for all.
      if (count > 0) this.#sayFor(event, count);
      if (count > LINES) this.#table.spend(slot, LINES);
    }
  }

  /** One line for `flows` of a source, which the latest stands for. */
  #sayFor(event: DecisionEvent, flows: number): void {
    const several = { ...withoutName(event), rule: null, detail: SEVERAL, ech: false, dstMismatch: false };
    this.#say(several, flows - 1);
  }

  /** More sources than the table has places share one. */
  #slotOf(source: string, timeMs: number): number {
    const slot = this.#table.slotOf(source, timeMs);
    return slot < 0 ? this.#table.sharedSlot : slot;
  }
}

/** The record of flows to different places. */
export function withoutName<E extends FlowIdentity>(event: E): E {
  return { ...event, hostname: null, dstIp: null };
}
