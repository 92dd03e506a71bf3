import { bytesOf, releaseLines } from './line-chunks.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Report } from './reporter.ts';
import type { RuleHits } from './rule-hits.ts';
import type { Sites } from './sites.ts';

/** Takes the reports of all threads and passes each part on: lines to the log, sums to metrics, sites and rule hits. */
export class Collector {
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #sites: Sites;
  readonly #ruleHits: RuleHits;

  constructor(subscribers: { log: Log; metrics: Metrics; sites: Sites; ruleHits: RuleHits }) {
    this.#log = subscribers.log;
    this.#metrics = subscribers.metrics;
    this.#sites = subscribers.sites;
    this.#ruleHits = subscribers.ruleHits;
  }

  collect({ lines, lost, suppressed, tally }: Report): void {
    for (const chunk of lines) {
      this.#log.writeLines(Uint8Array.from(bytesOf(chunk)));
      releaseLines(chunk);
    }
    this.#log.lost(lost);
    this.#metrics.suppressed(suppressed);
    this.#metrics.add(tally);
    this.#sites.add(tally.sites);
    this.#ruleHits.add(tally.rules);
  }
}
