import type { SiteCount } from '../flow-tally.ts';
import type { HitCount } from '../rule-hits.ts';
import type { TrendPoint } from '../trend.ts';

/**
 * One batch of changes, kept whole or not at all. Lists are JSON texts: a text crosses threads, and enters SQLite, at
 * a fraction of what its items would cost one by one.
 */
export interface StoreBatch {
  /** Forget everything kept so far first. */
  readonly clear: boolean;
  /** `siteValues` of rows: these are so from now on. */
  readonly sites: string;
  /** `id[]` of rows that are gone. */
  readonly gone: string;
  /** `[step, id, flows, dropped, bytesOut, bytesIn][]`: to be added to what is kept. */
  readonly minutes: string;
  readonly hours: string;
  /** `[name, sinceMs, hits, firstMs, lastMs][]`: these are so from now on. */
  readonly rules: string;
  /** `name[]` of rules that are gone. */
  readonly rulesGone: string;
  /** `hour[]` that were watched. */
  readonly watched: string;
  /** From when on sites and hits are counted. */
  readonly sinceMs: number;
  /** Beyond any id that was ever given. */
  readonly nextId: number;
  readonly nowMs: number;
}

export interface TrendQuery {
  readonly step: 'minute' | 'hour';
  /** JSON `id[]`; null: everything. */
  readonly ids: string | null;
  readonly sinceMs: number;
}

/** A part of what was kept. Plain data. */
export interface StoredPart {
  readonly sites: readonly (readonly [id: number, count: SiteCount])[];
  readonly rules: readonly (readonly [name: string, count: HitCount])[];
  readonly watched: readonly number[];
}

export type ToKeeper =
  /** Read what is there, `maxSites` rows at most, or begin a new file. A suspect one is set aside unread. */
  | { readonly type: 'open'; readonly maxSites: number; readonly isSuspect: boolean }
  | { readonly type: 'write'; readonly batch: StoreBatch }
  | { readonly type: 'trend'; readonly id: number; readonly query: TrendQuery }
  /** Write what SQLite holds back, and let the file go. */
  | { readonly type: 'close' };

export type FromKeeper =
  /** What is there, in parts; then `opened`. */
  | { readonly type: 'stored'; readonly part: StoredPart }
  /** `sinceMs` is null for a store that was just begun. */
  | { readonly type: 'opened'; readonly sinceMs: number | null; readonly nextId: number }
  | { readonly type: 'written' }
  /** The file was damaged and is now called `as`; `message` says how it showed. A new one was begun. */
  | { readonly type: 'set-aside'; readonly as: string; readonly message: string }
  /**
   * Opening or writing failed; nothing of it was kept. Where the file is not open any more, it has to be opened again.
   * It is suspect when the keeper crashed over reading it.
   */
  | {
      readonly type: 'failed';
      readonly message: string;
      readonly isOpen: boolean;
      readonly isSuspect: boolean;
    }
  | { readonly type: 'trend'; readonly id: number; readonly points: readonly TrendPoint[] }
  | { readonly type: 'closed' };
