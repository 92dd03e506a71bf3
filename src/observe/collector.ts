import { bytesOf, type Lines, releaseLines } from './line-chunks.ts';
import type { LiveTail } from './live-tail.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Report } from './reporter.ts';
import type { RuleHits } from './rule-hits.ts';
import type { Sites } from './sites.ts';

/** A quarter of what lines are handed over in. */
const MIN_LENT_BYTES = 256 * 1024;

/** Takes the reports of all threads and passes each part on: lines to the log and to who listens, sums to metrics, sites and rule hits. */
export class Collector {
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #sites: Sites;
  readonly #ruleHits: RuleHits;
  readonly #tail: LiveTail;

  constructor(subscribers: {
    log: Log;
    metrics: Metrics;
    sites: Sites;
    ruleHits: RuleHits;
    tail: LiveTail;
  }) {
    this.#log = subscribers.log;
    this.#metrics = subscribers.metrics;
    this.#sites = subscribers.sites;
    this.#ruleHits = subscribers.ruleHits;
    this.#tail = subscribers.tail;
  }

  collect({ lines, lost, suppressed, tally }: Report): void {
    for (const chunk of lines) this.#say(chunk);
    this.#log.lost(lost);
    this.#metrics.suppressed(suppressed);
    this.#metrics.add(tally);
    this.#sites.add(tally.sites);
    this.#ruleHits.add(tally.rules);
  }

  /** Many lines are written from where they are. Few are copied: a slow log would keep much memory for little. */
  #say(chunk: Lines): void {
    const bytes = bytesOf(chunk);
    this.#tail.say(bytes);
    if (bytes.length >= MIN_LENT_BYTES) return this.#log.writeLines(bytes, () => releaseLines(chunk));
    this.#log.writeLines(Buffer.from(bytes));
    releaseLines(chunk);
  }
}
