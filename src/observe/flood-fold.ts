import type { CloseEvent, DecisionEvent, FlowObserver } from '../dataplane/events.ts';
import { LruMap } from '../resolve/lru-map.ts';
import type { Log } from './log.ts';

export interface FloodFoldOptions {
  readonly log: Pick<Log, 'decided' | 'closed'>;
  /** Told of every record left out. */
  readonly onSuppressed: () => void;
  /** Identical decisions are said once in this time. Default 10 s. */
  readonly windowMs?: number;
  /** Different decisions remembered; the one met longest ago counts as new again. Default 10 000. */
  readonly maxKeys?: number;
}

interface Said {
  timeMs: number;
  suppressed: number;
}

/**
 * Stands before the log, so that a flood cannot drown it: a decision is said when it is first met, then counted,
 * then said again with the count once a window. A flow whose decision was left out has its close left out as well.
 */
export class FloodFold implements FlowObserver {
  readonly #log: Pick<Log, 'decided' | 'closed'>;
  readonly #onSuppressed: () => void;
  readonly #windowMs: number;
  readonly #said: LruMap<string, Said>;
  /** Open flows whose decision was left out; each goes with its close. */
  readonly #silentFlows = new Set<string>();

  constructor({ log, onSuppressed, windowMs = 10_000, maxKeys = 10_000 }: FloodFoldOptions) {
    this.#log = log;
    this.#onSuppressed = onSuppressed;
    this.#windowMs = windowMs;
    this.#said = new LruMap(maxKeys);
  }

  decided(event: DecisionEvent): void {
    const key = decisionKey(event);
    const said = this.#said.use(key);
    if (said === undefined) {
      this.#said.set(key, { timeMs: event.timeMs, suppressed: 0 });
      this.#log.decided(event);
    } else if (event.timeMs - said.timeMs >= this.#windowMs) {
      this.#log.decided(event, said.suppressed);
      said.timeMs = event.timeMs;
      said.suppressed = 0;
    } else {
      said.suppressed++;
      this.#silentFlows.add(event.flow);
      this.#onSuppressed();
    }
  }

  closed(event: CloseEvent): void {
    if (this.#silentFlows.delete(event.flow)) this.#onSuppressed();
    else this.#log.closed(event);
  }
}

/** What makes decisions identical. The name comes last: nothing in it can pass for another field. */
function decisionKey({ srcIp, dstPort, state, action, reason, hostname, dstIp }: DecisionEvent): string {
  return `${srcIp} ${dstPort} ${state} ${action} ${reason} ${hostname ?? dstIp}`;
}
