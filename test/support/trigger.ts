import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What happens to a thread of the daemon: it throws, runs out of memory, or stands still until `release`. */
export type Mishap = 'throw' | 'exhaust' | 'stall';

/**
 * Makes threads of a daemon misbehave at will: a module that Node loads before the daemon looks for a file whenever the
 * thread reads the clock. Nothing of it is in the daemon.
 */
export class Trigger {
  readonly #directory = mkdtempSync(join(tmpdir(), 'sallyport-trigger-'));

  /** For `TestDaemon`. */
  get nodeArgs(): string[] {
    return ['--import', `data:text/javascript,${encodeURIComponent(program(this.#directory))}`];
  }

  /** `thread`: the index of a worker, or main. It takes effect when that thread reads the clock next. */
  pull(thread: number | 'main', mishap: Mishap): void {
    writeFileSync(this.#path(thread), mishap);
  }

  /** Whether the thread has met with its mishap. */
  hasFired(thread: number | 'main'): boolean {
    return !existsSync(this.#path(thread));
  }

  /** Ends all stalls. */
  release(): void {
    writeFileSync(join(this.#directory, 'released'), '');
  }

  close(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #path(thread: number | 'main'): string {
    return join(this.#directory, `thread-${thread}`);
  }
}

function program(directory: string): string {
  return `
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { isMainThread, workerData } from 'node:worker_threads';
const directory = ${JSON.stringify(directory)};
const path = directory + '/thread-' + (isMainThread ? 'main' : workerData?.setup?.index);
const now = Date.now;
const mishaps = {
  throw() { throw new Error('poisoned'); },
  exhaust() { for (const kept = []; ; ) kept.push(new Array(10_000).fill(kept.length)); },
  stall() {
    const cell = new Int32Array(new SharedArrayBuffer(4));
    while (!existsSync(directory + '/released')) Atomics.wait(cell, 0, 0, 10);
  },
};
Date.now = () => {
  if (existsSync(path)) {
    const mishap = readFileSync(path, 'utf8');
    rmSync(path);
    mishaps[mishap]?.();
  }
  return now();
};
`;
}
