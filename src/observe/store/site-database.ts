import Database from 'libsql';
import type { SiteCount } from '../flow-tally.ts';
import type { HitCount } from '../rule-hits.ts';
import { HOURS, MINUTES, type SeriesOptions } from '../series-options.ts';
import type { TrendPoint } from '../trend.ts';
import type { StoreBatch, StoredPart, TrendQuery } from './messages.ts';
import { ASCII, PUT_SITES, SITES_TABLE, type StoredRow, siteOf } from './site-columns.ts';
import { StoreFault } from './store-fault.ts';

/** "SALY": tells our files from others'. */
const APPLICATION_ID = 0x53414c59;
const SCHEMA_VERSION = 1;
/** Beyond it the oldest tenth of the series goes. */
const MAX_BYTES = 512 * 1024 * 1024;
const PART_ROWS = 2_000;

const seriesTable = (name: string) =>
  `CREATE TABLE ${name} (step INTEGER, id INTEGER, flows INTEGER NOT NULL, dropped INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL, bytes_in INTEGER NOT NULL, PRIMARY KEY (step, id)) STRICT, WITHOUT ROWID`;

const SCHEMA = `
  CREATE TABLE meta (key TEXT PRIMARY KEY ${ASCII.replace('NAME', 'key')}, value INTEGER NOT NULL) STRICT;
  ${SITES_TABLE};
  ${seriesTable('minutes')};
  ${seriesTable('hours')};
  CREATE TABLE rules (name TEXT PRIMARY KEY ${ASCII.replace('NAME', 'name')}, since INTEGER NOT NULL, hits INTEGER NOT NULL, first INTEGER,
    last INTEGER) STRICT;
  CREATE TABLE watched (hour INTEGER PRIMARY KEY) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

const PUT_RULES = `INSERT INTO rules SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
  FROM json_each(?) WHERE true
  ON CONFLICT DO UPDATE SET since = excluded.since, hits = excluded.hits, first = excluded.first, last = excluded.last`;
const ADD_POINTS = (table: string) => `INSERT INTO ${table}
  SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 FROM json_each(?) WHERE true
  ON CONFLICT DO UPDATE SET flows = flows + excluded.flows, dropped = dropped + excluded.dropped,
    bytes_out = bytes_out + excluded.bytes_out, bytes_in = bytes_in + excluded.bytes_in`;
const SUM_POINTS = (table: string) => `SELECT step, sum(flows) AS flows, sum(dropped) AS dropped,
    sum(bytes_out) AS bytesOut, sum(bytes_in) AS bytesIn
  FROM ${table} WHERE step >= ?1 AND (?2 IS NULL OR id IN (SELECT value FROM json_each(?2)))
  GROUP BY step ORDER BY step`;

interface MetaRow {
  readonly key: string;
  readonly value: number;
}

interface RuleRow {
  readonly name: string;
  readonly since: number;
  readonly hits: number;
  readonly first: number | null;
  readonly last: number | null;
}

/**
 * The file behind a store: SQLite, held by one process alone. With a write-ahead log and without waiting for the disk
 * at each commit, a process that is killed loses nothing it has committed; a machine that loses power may lose the
 * last seconds, and keeps a file that is whole.
 */
export class SiteDatabase {
  readonly #db: Database.Database;
  #prunedHour = -1;

  private constructor(db: Database.Database) {
    this.#db = db;
  }

  /** Opens the file or begins one. Throws a StoreFault, or an error of the driver for `storeFault`. */
  static open(path: string): SiteDatabase {
    const db = new Database(path);
    try {
      db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
      // Nothing was locked before the first write, and two daemons must not share a file.
      db.exec('BEGIN IMMEDIATE');
      prepare(db);
      db.exec('COMMIT');
      return new SiteDatabase(db);
    } catch (error) {
      release(db);
      throw error;
    }
  }

  /** What is kept, in parts; sites those seen last, `maxSites` of them, the oldest first: the rest goes. Throws as `open` does. */
  *stored(maxSites: number): Generator<StoredPart> {
    const rules = this.#all<RuleRow>('SELECT * FROM rules').map(
      ({ name, since, hits, first, last }): [string, HitCount] => [
        name,
        { sinceMs: since, hits, firstMs: first, lastMs: last },
      ],
    );
    const watched = this.#all<{ hour: number }>('SELECT hour FROM watched').map(({ hour }) => hour);
    yield { sites: [], rules, watched };
    const latest = 'SELECT id FROM sites ORDER BY last_seen DESC, id DESC LIMIT ?';
    this.#db.prepare(`DELETE FROM sites WHERE id NOT IN (${latest})`).run(maxSites);
    const rows = this.#db.prepare('SELECT * FROM sites ORDER BY last_seen, id').iterate();
    let sites: [number, SiteCount][] = [];
    for (const row of rows) {
      const stored = row as StoredRow;
      sites.push([stored.id, siteOf(stored)]);
      if (sites.length < PART_ROWS) continue;
      yield { sites, rules: [], watched: [] };
      sites = [];
    }
    yield { sites, rules: [], watched: [] };
  }

  /** From when on it counts (null: it was just begun), and an id beyond all that it knows. */
  meta(): { readonly sinceMs: number | null; readonly nextId: number } {
    const meta = new Map(
      this.#all<MetaRow>('SELECT key, value FROM meta').map(({ key, value }) => [key, value]),
    );
    return { sinceMs: meta.get('since') ?? null, nextId: meta.get('next_id') ?? 1 };
  }

  /** Keeps a batch whole, or throws and keeps nothing of it. */
  write(batch: StoreBatch): void {
    const db = this.#db;
    db.exec('BEGIN IMMEDIATE');
    try {
      if (batch.clear) {
        for (const table of ['sites', 'minutes', 'hours', 'rules', 'watched'])
          db.exec(`DELETE FROM ${table}`);
      }
      this.#run(PUT_SITES, batch.sites);
      this.#run('DELETE FROM sites WHERE id IN (SELECT value FROM json_each(?))', batch.gone);
      this.#run(ADD_POINTS('minutes'), batch.minutes);
      this.#run(ADD_POINTS('hours'), batch.hours);
      this.#run(PUT_RULES, batch.rules);
      this.#run('DELETE FROM rules WHERE name IN (SELECT value FROM json_each(?))', batch.rulesGone);
      this.#run('INSERT OR IGNORE INTO watched SELECT value FROM json_each(?)', batch.watched);
      const putMeta = db.prepare('INSERT OR REPLACE INTO meta VALUES (?, ?)');
      putMeta.run('since', batch.sinceMs);
      putMeta.run('next_id', batch.nextId);
      this.#prune(batch.nowMs);
      db.exec('COMMIT');
    } catch (error) {
      rollBack(this.#db);
      throw error;
    }
  }

  trend({ step, ids, sinceMs }: TrendQuery): TrendPoint[] {
    const { stepMs } = step === 'minute' ? MINUTES : HOURS;
    const sql = SUM_POINTS(step === 'minute' ? 'minutes' : 'hours');
    const rows = this.#db.prepare(sql).all(Math.floor(sinceMs / stepMs), ids) as ({
      step: number;
    } & Omit<TrendPoint, 'timeMs'>)[];
    return rows.map(({ step, ...point }) => ({ timeMs: step * stepMs, ...point }));
  }

  close(): void {
    release(this.#db);
  }

  /** Once an hour, what is too old or too much goes. */
  #prune(nowMs: number): void {
    const hour = Math.floor(nowMs / HOURS.stepMs);
    if (hour === this.#prunedHour) return;
    const oldest = ({ stepMs, keepMs }: SeriesOptions) => Math.floor((nowMs - keepMs) / stepMs);
    this.#db.prepare('DELETE FROM minutes WHERE step < ?').run(oldest(MINUTES));
    this.#db.prepare('DELETE FROM hours WHERE step < ?').run(oldest(HOURS));
    this.#db.prepare('DELETE FROM watched WHERE hour < ?').run(oldest(HOURS));
    if (this.#usedBytes() > MAX_BYTES) {
      for (const table of ['minutes', 'hours'])
        this.#db.exec(
          `DELETE FROM ${table} WHERE step < (SELECT min(step) + (max(step) - min(step)) / 10 + 1 FROM ${table})`,
        );
    }
    this.#prunedHour = hour;
  }

  #usedBytes(): number {
    const value = (pragma: string) => {
      const [row] = this.#all<Record<string, number>>(`PRAGMA ${pragma}`);
      return row?.[pragma] ?? 0;
    };
    return (value('page_count') - value('freelist_count')) * value('page_size');
  }

  #run(sql: string, list: string): void {
    if (list !== '[]') this.#db.prepare(sql).run(list);
  }

  #all<Row>(sql: string): Row[] {
    return this.#db.prepare(sql).all() as Row[];
  }
}

function rollBack(db: Database.Database): void {
  try {
    if (db.inTransaction) db.exec('ROLLBACK');
  } catch {
    // SQLite has rolled back by itself; what went wrong is thrown already.
  }
}

/**
 * Gives up the lock, and leaves one file without a log beside it. The driver itself closes only when its statements are
 * collected, which may be never.
 */
function release(db: Database.Database): void {
  rollBack(db);
  try {
    db.exec('PRAGMA journal_mode = DELETE; PRAGMA locking_mode = NORMAL; SELECT count(*) FROM sqlite_schema');
  } catch {
    // A file that cannot be read or written: nothing that was committed is lost with its log.
  }
  db.close();
}

/** Makes the tables of a new file, and checks that another is ours and whole. */
function prepare(db: Database.Database): void {
  const value = (pragma: string) => {
    const row = db.prepare(`PRAGMA ${pragma}`).get() as Record<string, unknown>;
    return Object.values(row)[0];
  };
  const tables = db.prepare('SELECT count(*) AS count FROM sqlite_schema').get() as { count: number };
  const owner = value('application_id');
  if (tables.count === 0 && owner === 0) return void db.exec(SCHEMA);
  if (owner !== APPLICATION_ID) {
    throw new StoreFault('it is the database of another program (name another file as sites.store)');
  }
  const version = value('user_version');
  if (version !== SCHEMA_VERSION) {
    throw new StoreFault(
      `it is of format ${String(version)}, and this version of sallyport knows format ${SCHEMA_VERSION} (name another file as sites.store)`,
    );
  }
  const found = value('quick_check(1)');
  if (found !== 'ok') throw new StoreFault(String(found).replaceAll('\n', ' '), { isDamage: true });
}
