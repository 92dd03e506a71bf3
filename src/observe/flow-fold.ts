import type { CloseEvent, DecisionEvent, FlowIdentity, Saying } from '../dataplane/events.ts';
import type { FlowLines } from './flow-lines.ts';
import { FoldTable } from './fold-table.ts';
import { SourceShare, withoutName } from './source-share.ts';

/** Different things held back at a time; more are said, as far as their sources' shares go. */
const MAX_HELD = 10_000;

/** What a thread has to know to fold. Plain data. */
export interface FoldSettings {
  /** From `createFoldTable`; all threads share it. */
  readonly table: SharedArrayBuffer;
  /** Another one, for what each source has said. */
  readonly sources: SharedArrayBuffer;
  readonly windowMs: number;
}

/** Closes that were held back alike: the latest, with the bytes of all. */
interface HeldClose {
  readonly sinceMs: number;
  event: CloseEvent;
  more: number;
}

/**
 * Stands before the log, so that a flood cannot drown it: identical decisions (same source, destination, port and
 * outcome) are said once, then counted, then said again with the count once a window; over all threads. A flow whose
 * decision was held back has its close folded in the same way, with the bytes of all. Refused flows that differ are said
 * each by itself as long as their source has a share left. Nothing is left unsaid for longer than a window, of a source
 * that floods two.
 */
export class FlowFold {
  readonly #lines: FlowLines;
  readonly #table: FoldTable;
  readonly #windowMs: number;
  readonly #share: SourceShare;
  /** The latest of the decisions that were held back alike. Their number stands in the shared table. */
  readonly #decisions = new Map<string, DecisionEvent>();
  readonly #closes = new Map<string, HeldClose>();
  #suppressed = 0;

  constructor(lines: FlowLines, { table, sources, windowMs }: FoldSettings) {
    this.#lines = lines;
    this.#table = new FoldTable(table, windowMs);
    this.#windowMs = windowMs;
    this.#share = new SourceShare(sources, windowMs, (event, suppressed) => this.#say(event, suppressed));
  }

  /** Whether something waits to be said at the end of its window. */
  get isHolding(): boolean {
    return this.#decisions.size > 0 || this.#closes.size > 0 || this.#share.isHolding;
  }

  decided(event: DecisionEvent): Saying {
    const identity =
      event.vpcEndpoint === null ? identityKey(event) : `${identityKey(event)} ${event.vpcEndpoint}`;
    const key = `${identity} ${event.state} ${event.action} ${event.reason}`;
    // A source that has no line left takes no place in the table either, which others would then lack.
    const mayBeSaid = event.action === 'allow' || this.#share.hasLeft(event, event.timeMs);
    const slot = this.#table.slotOf(key, event.timeMs, mayBeSaid);
    const suppressed = this.#table.open(slot, event.timeMs);
    if (suppressed === null && (this.#decisions.has(key) || this.#decisions.size < MAX_HELD)) {
      this.#table.count(slot);
      this.#decisions.set(key, event);
      return 'folded';
    }
    this.#decisions.delete(key);
    return this.#sayInShare(event, event.timeMs, suppressed ?? 0) ? 'said' : 'counted';
  }

  closed(event: CloseEvent): void {
    if (event.decision === 'said') return this.#lines.closed(event, 0);
    this.#hold(event.decision === 'counted' ? withoutName(event) : event);
  }

  #hold(event: CloseEvent): void {
    const key = `${identityKey(event)} ${event.end} ${event.reason}`;
    const held = this.#closes.get(key);
    if (held !== undefined) {
      held.event = withBytesOf(event, held.event);
      held.more++;
    } else if (this.#closes.size < MAX_HELD) {
      this.#closes.set(key, { sinceMs: event.timeMs, event, more: 0 });
    } else {
      this.#lines.closed(event, 0);
    }
  }

  /** Says what was held back for a window, or all of it. Returns how many records have been left out since last asked. */
  release(nowMs: number, all: boolean): number {
    for (const [key, event] of this.#decisions) {
      const slot = this.#table.slotOf(key, nowMs);
      const count = all && slot >= 0 ? this.#table.take(slot) : this.#table.open(slot, nowMs);
      if (count === null) continue;
      this.#decisions.delete(key);
      // Zero: another thread has said it for all.
      if (count > 0) this.#sayInShare(event, nowMs, count - 1);
    }
    this.#share.release(nowMs, all);
    for (const [key, { sinceMs, event, more }] of this.#closes) {
      const elapsedMs = nowMs - sinceMs;
      if (!all && elapsedMs >= 0 && elapsedMs < this.#windowMs) continue;
      this.#closes.delete(key);
      this.#lines.closed(event, more);
      this.#suppressed += more;
    }
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    return suppressed;
  }

  /** Refused flows are said as far as the source's share goes, and counted beyond. Whether it was said. */
  #sayInShare(event: DecisionEvent, timeMs: number, suppressed: number): boolean {
    const isSaid = event.action === 'allow' || this.#share.take(event, timeMs);
    if (isSaid) this.#say(event, suppressed);
    else this.#share.count(event, timeMs, suppressed);
    return isSaid;
  }

  #say(event: DecisionEvent, suppressed: number): void {
    this.#lines.decided(event, suppressed);
    this.#suppressed += suppressed;
  }
}

/** No part can pass for another: addresses and names hold no spaces. */
function identityKey({ listener, srcIp, hostname, dstIp, dstPort }: FlowIdentity): string {
  return `${listener} ${srcIp} ${hostname ?? dstIp} ${dstPort}`;
}

function withBytesOf(event: CloseEvent, before: CloseEvent): CloseEvent {
  return {
    ...event,
    bytesOut: event.bytesOut + before.bytesOut,
    bytesIn: event.bytesIn + before.bytesIn,
  };
}
