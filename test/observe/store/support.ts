import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Discovery } from '../../../src/observe/discovery.ts';
import type { SitesOptions } from '../../../src/observe/sites.ts';
import type { FromKeeper, ToKeeper } from '../../../src/observe/store/messages.ts';
import { SiteStore } from '../../../src/observe/store/site-store.ts';
import { StoreKeeper } from '../../../src/observe/store/store-keeper.ts';
import { type FlowEvent, tallyOf } from '../support.ts';

export const NOW = Date.UTC(2026, 10, 21, 12);

/** A path in a directory that goes away with the test. */
export function storePath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-store-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'data', 'sallyport.db');
}

/** A log that keeps its messages. */
export class SpokenLog {
  readonly said: string[] = [];
  readonly info = (message: string) => void this.said.push(message);
  readonly error = (message: string) => void this.said.push(message);
}

export interface Kept {
  readonly discovery: Discovery;
  readonly store: SiteStore;
  readonly log: SpokenLog;
}

/** Discovery with a store whose keeper works in this process, as if it were another. */
export async function keep(path: string, options: SitesOptions = {}): Promise<Kept> {
  const kept = connect(
    path,
    hear => {
      const keeper = new StoreKeeper(
        path,
        answer => hear(structuredClone(answer)),
        () => NOW,
      );
      return message => keeper.handle(structuredClone(message));
    },
    options,
  );
  await kept.store.ready(5_000);
  return kept;
}

/** The same with any keeper: `handle` takes a message, some time after it was sent. */
export function connect(
  path: string,
  start: (hear: (answer: FromKeeper) => void) => (message: ToKeeper) => void,
  options: SitesOptions = {},
): Kept {
  const discovery = new Discovery(options, NOW);
  const log = new SpokenLog();
  const store = new SiteStore({
    path,
    discovery,
    log,
    maxSites: options.maxSites ?? 10_000,
    onOpened: () => {},
    connect: hear => {
      const handle = start(hear);
      return { send: message => void setImmediate(() => handle(message)), end: async () => {} };
    },
  });
  return { discovery, store, log };
}

/** What a report of these flows adds. */
export function count(
  { discovery }: { readonly discovery: Discovery },
  ...events: readonly FlowEvent[]
): void {
  const { sites, rules } = tallyOf(...events);
  discovery.sites.add(sites);
  discovery.ruleHits.add(rules);
}

/** All that is known, in an order of its own. */
export function knownBy({ discovery }: { readonly discovery: Discovery }) {
  const byText = (a: unknown, b: unknown) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
  return {
    sites: discovery.sites
      .rows()
      .map(({ count }) => count)
      .sort(byText),
    rules: [...discovery.ruleHits.names()].sort().map(name => ({ name, ...discovery.ruleHits.of(name) })),
    hours: discovery.hours.since(0),
    sinceMs: discovery.sinceMs,
  };
}
