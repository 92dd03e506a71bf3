import type { Discovery, DiscoveryJournal, TrendStep } from '../discovery.ts';
import type { Log } from '../log.ts';
import type { SiteRow } from '../sites.ts';
import {
  isEverything,
  mergeTrends,
  type TrendFilter,
  type TrendPoint,
  trendOf,
  trendRows,
} from '../trend.ts';
import type { FromKeeper, StoredPart, ToKeeper } from './messages.ts';
import { Pending, type Taken } from './pending.ts';

/** How often what has changed is kept: so much is lost when the process is killed. */
const FLUSH_MS = 1_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 60_000;

/** The way to the keeper, which works elsewhere. */
export interface KeeperLine {
  send(message: ToKeeper): void;
  /** Resolves when the keeper is gone. */
  end(): Promise<void>;
}

export interface SiteStoreOptions {
  /** The file, for messages. */
  readonly path: string;
  readonly discovery: Discovery;
  readonly maxSites: number;
  /** What was kept has been taken in. */
  readonly onOpened: () => void;
  readonly log: Pick<Log, 'info' | 'error'>;
  /** `hear` is called with each of the keeper's answers. */
  readonly connect: (hear: (message: FromKeeper) => void) => KeeperLine;
  readonly now?: () => number;
}

export interface StoreStatus {
  readonly path: string;
  /** `failing`: what is counted stays in memory until it works again. */
  readonly state: 'opening' | 'open' | 'failing';
  /** Why it is failing. */
  readonly error: string | null;
  /** What was counted until then is kept, epoch milliseconds; null before anything was. */
  readonly keptMs: number | null;
}

/**
 * Keeps what is counted beyond this process, off the hot path: what has changed since goes to the keeper once a second,
 * one batch at a time. All is counted in memory first; when the file cannot be used, it stays there and is kept later.
 */
export class SiteStore implements DiscoveryJournal {
  readonly #options: SiteStoreOptions;
  readonly #now: () => number;
  readonly #pending: Pending;
  readonly #line: KeeperLine;
  #state: StoreStatus['state'] = 'opening';
  #isOpen = false;
  #isSuspect = false;
  #error: string | null = null;
  #keptMs: number | null = null;
  #inFlight: Taken | null = null;
  #retryMs = FIRST_RETRY_MS;
  #timer: NodeJS.Timeout | undefined;
  /** Told when the store is open or has failed, and after each batch. */
  #waiting: (() => void)[] = [];
  readonly #trends = new Map<number, (points: readonly TrendPoint[]) => void>();
  #nextTrend = 1;

  constructor(options: SiteStoreOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#pending = new Pending(options.discovery);
    this.#pending.everything();
    options.discovery.tell(this);
    this.#line = options.connect(message => this.#heard(message));
    this.#open();
  }

  get status(): StoreStatus {
    return { path: this.#options.path, state: this.#state, error: this.#error, keptMs: this.#keptMs };
  }

  /** Resolves when what was kept has been read, or cannot be, or takes longer than `timeoutMs`. */
  async ready(timeoutMs: number): Promise<void> {
    if (this.#state === 'opening') await this.#nextEvent(timeoutMs);
  }

  /** Keeps what has changed, as far as it can be in `timeoutMs`, and lets the file go. */
  async close(timeoutMs: number): Promise<void> {
    const end = this.#now() + timeoutMs;
    clearTimeout(this.#timer);
    while (this.#isOpen && this.#error === null && !this.#isClean && this.#now() < end) {
      this.#flush();
      await this.#nextEvent(end - this.#now());
    }
    if (!this.#isClean) {
      this.#options.log.error(`the latest counts are not kept in ${this.#options.path}`, {
        event: 'site_store_incomplete',
      });
    }
    clearTimeout(this.#timer);
    this.#isOpen = false;
    this.#line.send({ type: 'close' });
    await this.#nextEvent(Math.max(0, end - this.#now()));
    await this.#line.end();
  }

  /** What is kept, and what is not kept yet. */
  async trend(step: TrendStep, filter: TrendFilter, sinceMs: number): Promise<TrendPoint[]> {
    const rows = isEverything(filter) ? null : trendRows(this.#options.discovery.sites.rows(), filter);
    const ids = rows === null ? null : JSON.stringify([...rows].map(({ id }) => id).filter(id => id > 0));
    const kept = await this.#ask(step, ids, sinceMs);
    const taken = step === 'minute' ? this.#inFlight?.minutes : this.#inFlight?.hours;
    const waiting = [this.#options.discovery.series[step], ...(taken === undefined ? [] : [taken])];
    return mergeTrends(kept, trendOf(waiting, rows, sinceMs));
  }

  siteChanged(row: SiteRow): void {
    this.#pending.rows.add(row);
    this.#flushSoon();
  }

  siteGone(row: SiteRow, id: number): void {
    this.#pending.rows.delete(row);
    if (id > 0) this.#pending.gone.add(id);
  }

  ruleChanged(name: string): void {
    this.#pending.rulesGone.delete(name);
    this.#pending.rules.add(name);
    this.#flushSoon();
  }

  ruleGone(name: string): void {
    this.#pending.rules.delete(name);
    this.#pending.rulesGone.add(name);
    this.#flushSoon();
  }

  hourWatched(hour: number): void {
    this.#pending.watched.add(hour);
    this.#flushSoon();
  }

  cleared(): void {
    this.#pending.clear();
    this.#flushSoon();
  }

  get #isClean(): boolean {
    return this.#inFlight === null && this.#pending.isEmpty;
  }

  #ask(step: TrendStep, ids: string | null, sinceMs: number): Promise<readonly TrendPoint[]> {
    if (!this.#isOpen) return Promise.resolve([]);
    return new Promise(resolve => {
      const id = this.#nextTrend++;
      this.#trends.set(id, resolve);
      this.#line.send({ type: 'trend', id, query: { step, ids, sinceMs } });
    });
  }

  #open(): void {
    this.#line.send({ type: 'open', maxSites: this.#options.maxSites, isSuspect: this.#isSuspect });
  }

  #flushSoon(): void {
    if (this.#isOpen) this.#timer ??= this.#after(FLUSH_MS, () => this.#flush());
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#isOpen || this.#inFlight !== null || this.#pending.isEmpty) return;
    this.#inFlight = this.#pending.take(this.#now());
    this.#line.send({ type: 'write', batch: this.#inFlight.batch });
  }

  #heard(message: FromKeeper): void {
    switch (message.type) {
      case 'stored':
        return this.#restore(message.part);
      case 'opened':
        return this.#opened(message);
      case 'written':
        return this.#written();
      case 'set-aside':
        return this.#setAside(message);
      case 'failed':
        return this.#failed(message);
      case 'trend':
        this.#trends.get(message.id)?.(message.points);
        this.#trends.delete(message.id);
        return;
      case 'closed':
        return this.#tellWaiting();
      default:
        message satisfies never;
    }
  }

  /** Takes in what was counted before this process, unless that has been forgotten since. */
  #restore({ sites, rules, watched }: StoredPart): void {
    if (this.#pending.isCleared) return;
    const { discovery } = this.#options;
    for (const [id, count] of sites) if (!discovery.sites.restore(id, count)) this.#pending.gone.add(id);
    for (const [name, count] of rules) discovery.ruleHits.restore(name, count);
    discovery.hours.add(watched);
  }

  #opened({ sinceMs, nextId }: Extract<FromKeeper, { type: 'opened' }>): void {
    this.#pending.nextId = Math.max(this.#pending.nextId, nextId);
    if (sinceMs !== null && !this.#pending.isCleared) this.#options.discovery.countsSince(sinceMs);
    this.#isOpen = true;
    this.#works();
    this.#options.onOpened();
    this.#tellWaiting();
    this.#flushSoon();
  }

  #written(): void {
    if (!this.#pending.isBacklog) this.#keptMs = this.#inFlight?.batch.nowMs ?? null;
    this.#inFlight = null;
    this.#works();
    this.#tellWaiting();
    if (this.#pending.isBacklog) this.#flush();
    else if (!this.#pending.isEmpty) this.#flushSoon();
  }

  #works(): void {
    const { log, path } = this.#options;
    if (this.#error !== null) log.info(`sites are kept in ${path} again`, { event: 'site_store_works' });
    this.#state = 'open';
    this.#error = null;
    this.#retryMs = FIRST_RETRY_MS;
  }

  #setAside({ as, message }: Extract<FromKeeper, { type: 'set-aside' }>): void {
    const { log, path } = this.#options;
    log.error(`${path} is damaged (${message}): it is now ${as}, and a new file was begun`, {
      event: 'site_store_damaged',
      set_aside: as,
    });
    this.#putBack();
    this.#pending.everything();
  }

  #failed({ message, isOpen, isSuspect }: Extract<FromKeeper, { type: 'failed' }>): void {
    this.#putBack();
    this.#isOpen = isOpen;
    this.#isSuspect = isSuspect;
    if (!isOpen) this.#forgetTrends();
    this.#fails(message);
    clearTimeout(this.#timer);
    this.#timer = this.#after(this.#retryMs, () => {
      this.#timer = undefined;
      if (isOpen) this.#flush();
      else this.#open();
    });
    this.#retryMs = Math.min(2 * this.#retryMs, LONGEST_RETRY_MS);
    this.#tellWaiting();
  }

  #fails(message: string): void {
    const { log, path } = this.#options;
    if (this.#error !== message) {
      log.error(`sites cannot be kept in ${path}: ${message}; they are counted in memory until then`, {
        event: 'site_store_failed',
      });
    }
    this.#state = 'failing';
    this.#error = message;
  }

  /** Whoever waits for an answer gets what is held here. */
  #forgetTrends(): void {
    for (const resolve of this.#trends.values()) resolve([]);
    this.#trends.clear();
  }

  #putBack(): void {
    if (this.#inFlight !== null) this.#pending.putBack(this.#inFlight);
    this.#inFlight = null;
  }

  #nextEvent(timeoutMs: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #tellWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const tell of waiting) tell();
  }

  #after(delayMs: number, act: () => void): NodeJS.Timeout {
    return setTimeout(act, delayMs).unref();
  }
}
