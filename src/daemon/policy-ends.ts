import type { Log } from '../observe/log.ts';
import type { Mode } from '../policy/decision.ts';
import type { Policy } from '../policy/policy.ts';

/** How late it may be said. Timers that are set for a day do not follow a clock that is set. */
const TICK_MS = 1_000;
/** Rules named in one line. */
const NAMES_SAID = 20;

export interface PolicyEndsOptions {
  /** The policy in force now. */
  readonly policy: () => Policy;
  readonly log: Pick<Log, 'warn'>;
  /** The policy refuses more than a moment ago, although it is the same. */
  readonly onEnd: () => void;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

/**
 * Says when the running policy changes by itself, because `observeUntil` or a rule's `until` passes. It goes by the wall
 * clock, as these moments do: when that is set back, what had ended is in force again, and that is said as well.
 */
export class PolicyEnds {
  readonly #options: PolicyEndsOptions;
  readonly #now: () => number;
  #ticker: NodeJS.Timeout | null = null;
  #policy: Policy;
  #mode: Mode;
  #seenMs: number;
  /** Nothing changes from `#seenMs` until then. */
  #nextMs: number;

  constructor(options: PolicyEndsOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#policy = options.policy();
    this.#seenMs = this.#now();
    this.#mode = this.#policy.modeAt(this.#seenMs);
    this.#nextMs = this.#policy.nextEndMs(this.#seenMs);
  }

  start(): void {
    this.#ticker = setInterval(() => this.look(), TICK_MS).unref();
  }

  stop(): void {
    if (this.#ticker !== null) clearInterval(this.#ticker);
  }

  /** Looks at the clock. */
  look(): void {
    const policy = this.#options.policy();
    const nowMs = this.#now();
    if (policy === this.#policy && nowMs >= this.#seenMs && nowMs < this.#nextMs) return;
    // Of a new policy the reload has said all that there is.
    if (policy === this.#policy) this.#compare(nowMs);
    this.#policy = policy;
    this.#mode = policy.modeAt(nowMs);
    this.#seenMs = nowMs;
    this.#nextMs = policy.nextEndMs(nowMs);
  }

  #compare(nowMs: number): void {
    const { log, onEnd } = this.#options;
    const mode = this.#policy.modeAt(nowMs);
    const rules = this.#policy.rulesEnded(this.#seenMs, nowMs);
    if (mode !== this.#mode) {
      const why =
        mode === 'enforce' ? 'observeUntil has passed' : 'the clock was set back before observeUntil';
      log.warn(`mode ${mode} from now on: ${why}`, { event: 'mode', mode });
    }
    if (rules.length > 0) {
      const named = rules.slice(0, NAMES_SAID).join(', ');
      const more = rules.length > NAMES_SAID ? ` and ${rules.length - NAMES_SAID} more` : '';
      log.warn(`until has passed for ${named}${more}: they match nothing from now on`, {
        event: 'rules_ended',
        rules: rules.slice(0, NAMES_SAID),
      });
    }
    if (rules.length > 0 || mode !== this.#mode) onEnd();
  }
}
