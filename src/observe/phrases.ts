import type { DecisionEvent, FlowIdentity } from '../dataplane/events.ts';

/** Destinations that are remembered; the flows of a moment go to few. */
const MAX_DESTINATIONS = 256;

/** The bytes that say a verdict, in a record and in its message; null until they were written once. */
export class VerdictPhrases {
  record: Uint8Array | null = null;
  message: Uint8Array | null = null;
  readonly #of: DecisionEvent;

  constructor(of: DecisionEvent) {
    this.#of = of;
  }

  fits({ state, action, reason, rule }: DecisionEvent): boolean {
    const of = this.#of;
    return of.state === state && of.action === action && of.reason === reason && of.rule === rule;
  }
}

/** The same for a destination, and for what was decided of it last. */
export class Phrases {
  destination: Uint8Array | null = null;
  message: Uint8Array | null = null;
  readonly #of: FlowIdentity;
  #verdict: VerdictPhrases | null = null;

  constructor(of: FlowIdentity) {
    this.#of = of;
  }

  fits({ dstIp, dstPort, protocol }: FlowIdentity): boolean {
    return this.#of.dstIp === dstIp && this.#of.dstPort === dstPort && this.#of.protocol === protocol;
  }

  verdictOf(event: DecisionEvent): VerdictPhrases {
    if (this.#verdict === null || !this.#verdict.fits(event)) this.#verdict = new VerdictPhrases(event);
    return this.#verdict;
  }
}

/** What the records of flows to one destination have in common, so that it is put together once and copied then. */
export class PhraseBook {
  readonly #byHostname = new Map<string | null, Phrases>();

  /** Null when no such flow was seen lately: most hostnames of a scan are seen once. */
  get(event: FlowIdentity): Phrases | null {
    const known = this.#byHostname.get(event.hostname);
    if (known?.fits(event)) return known;
    if (this.#byHostname.size >= MAX_DESTINATIONS) this.#byHostname.clear();
    this.#byHostname.set(event.hostname, new Phrases(event));
    return null;
  }
}
