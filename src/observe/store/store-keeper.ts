import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import type { FromKeeper, ToKeeper } from './messages.ts';
import { SiteDatabase } from './site-database.ts';
import { StoreFault, storeFault } from './store-fault.ts';

/**
 * Does what a store asks for, one message after the other, and waits for the disk. A file that turns out to be damaged
 * is set aside, and a new one begun.
 */
export class StoreKeeper {
  readonly #path: string;
  readonly #answer: (message: FromKeeper) => void;
  readonly #now: () => number;
  #database: SiteDatabase | null = null;

  constructor(path: string, answer: (message: FromKeeper) => void, now: () => number = Date.now) {
    this.#path = path;
    this.#answer = answer;
    this.#now = now;
  }

  handle(message: ToKeeper): void {
    switch (message.type) {
      case 'open':
        return this.#attempt(() => this.#open(message));
      case 'write':
        return this.#attempt(() => {
          if (this.#database === null) throw new StoreFault('it is not open');
          this.#database.write(message.batch);
          this.#answer({ type: 'written' });
        });
      case 'trend': {
        const points = this.#trend(message);
        return this.#answer({ type: 'trend', id: message.id, points });
      }
      case 'close':
        this.close();
        return this.#answer({ type: 'closed' });
      default:
        message satisfies never;
    }
  }

  #open({ maxSites, isSuspect }: Extract<ToKeeper, { type: 'open' }>): void {
    if (isSuspect) throw new StoreFault('reading it ended the process that did', { isDamage: true });
    makeDirectory(dirname(this.#path));
    const database = SiteDatabase.open(this.#path);
    this.#database = database;
    // All of it is read before any is handed out: half of a damaged file is not to be mixed with a new one.
    for (const _part of database.stored(maxSites));
    for (const part of database.stored(maxSites)) this.#answer({ type: 'stored', part });
    this.#answer({ type: 'opened', ...database.meta() });
  }

  #trend({ query }: Extract<ToKeeper, { type: 'trend' }>) {
    try {
      return this.#database?.trend(query) ?? [];
    } catch (error) {
      this.#failed(storeFault(error));
      return [];
    }
  }

  /** A failed act is tried again on a new file where the old one is damaged, else answered with `failed`. */
  #attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#failed(storeFault(error));
    }
  }

  #failed(fault: StoreFault): void {
    if (!fault.isDamage) return this.#refuse(fault.message);
    try {
      this.close();
      const as = this.#setAside();
      this.#database = SiteDatabase.open(this.#path);
      this.#answer({ type: 'set-aside', as, message: fault.message });
      this.#answer({ type: 'opened', ...this.#database.meta() });
    } catch (error) {
      this.close();
      this.#refuse(`${fault.message}; it cannot be set aside: ${storeFault(error).message}`);
    }
  }

  #refuse(message: string): void {
    this.#answer({ type: 'failed', message, isOpen: this.#database !== null, isSuspect: false });
  }

  /** Renames the file and what belongs to it; returns the new name. */
  #setAside(): string {
    const stamp = new Date(this.#now()).toISOString().replace(/[-:]|\.\d+/g, '');
    const name = (n: number) => `${this.#path}.corrupt-${stamp}${n === 0 ? '' : `-${n}`}`;
    let n = 0;
    while (existsSync(name(n))) n++;
    for (const suffix of ['', '-wal', '-shm']) {
      if (existsSync(`${this.#path}${suffix}`)) renameSync(`${this.#path}${suffix}`, `${name(n)}${suffix}`);
    }
    return name(n);
  }

  /** Lets the file go; a later `open` takes it up again. */
  close(): void {
    const database = this.#database;
    this.#database = null;
    try {
      database?.close();
    } catch {
      // Nothing is lost with it: what was committed is in the log beside the file.
    }
  }
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (cause) {
    throw new StoreFault(
      `its directory ${path} cannot be made (make it, writable for the user that runs sallyport)`,
      {
        cause,
      },
    );
  }
}
