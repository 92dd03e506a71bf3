import type { DecisionEvent, FlowIdentity } from '../dataplane/events.ts';
import type { LineBuffer } from './line-buffer.ts';
import type { Say, Wording } from './wording.ts';

/** Destinations that are remembered; the flows of a moment go to few. */
const MAX_DESTINATIONS = 256;

/** Bytes of a line: put together once, copied then. */
class Phrase {
  #bytes: Uint8Array | null = null;

  /** `say` says the same of each `event` that comes here. */
  put<E>(line: LineBuffer, event: E, say: Say<E>): void {
    if (this.#bytes !== null) return line.fixed(this.#bytes);
    const start = line.length;
    say(line, event);
    this.#bytes = line.since(start);
  }
}

/** What is said of a verdict. */
class Verdict {
  readonly inRecord = new Phrase();
  readonly inMessage = new Phrase();
  readonly #of: DecisionEvent;

  constructor(of: DecisionEvent) {
    this.#of = of;
  }

  fits({ state, action, reason, rule }: DecisionEvent): boolean {
    const of = this.#of;
    return of.state === state && of.action === action && of.reason === reason && of.rule === rule;
  }
}

/** What is said of a destination, and of what was decided of it last. */
class Phrases implements Wording {
  readonly #words: Wording;
  readonly #of: FlowIdentity;
  readonly #inRecord = new Phrase();
  readonly #inMessage = new Phrase();
  #lastVerdict: Verdict | null = null;

  constructor(words: Wording, of: FlowIdentity) {
    this.#words = words;
    this.#of = of;
  }

  fits({ dstIp, dstPort, protocol }: FlowIdentity): boolean {
    return this.#of.dstIp === dstIp && this.#of.dstPort === dstPort && this.#of.protocol === protocol;
  }

  destination(line: LineBuffer, event: FlowIdentity): void {
    this.#inRecord.put(line, event, this.#words.destination);
  }

  verdict(line: LineBuffer, event: DecisionEvent): void {
    this.#verdictOf(event).inRecord.put(line, event, this.#words.verdict);
  }

  destinationInMessage(line: LineBuffer, event: FlowIdentity): void {
    this.#inMessage.put(line, event, this.#words.destinationInMessage);
  }

  verdictInMessage(line: LineBuffer, event: DecisionEvent): void {
    this.#verdictOf(event).inMessage.put(line, event, this.#words.verdictInMessage);
  }

  #verdictOf(event: DecisionEvent): Verdict {
    if (this.#lastVerdict === null || !this.#lastVerdict.fits(event)) this.#lastVerdict = new Verdict(event);
    return this.#lastVerdict;
  }
}

/** What the records of flows to one destination have in common is put together once and copied then. */
export class PhraseBook {
  readonly #words: Wording;
  readonly #byHostname = new Map<string | null, Phrases>();

  constructor(words: Wording) {
    this.#words = words;
  }

  /** The words themselves when no such flow was seen lately: most hostnames of a scan are seen once. */
  of(event: FlowIdentity): Wording {
    const known = this.#byHostname.get(event.hostname);
    if (known?.fits(event)) return known;
    if (this.#byHostname.size >= MAX_DESTINATIONS) this.#byHostname.clear();
    this.#byHostname.set(event.hostname, new Phrases(this.#words, event));
    return this.#words;
  }
}
