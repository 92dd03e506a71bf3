import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What is said in every place that would start a part of the program. */
export const RESTART_NEEDED = 'the program files have changed since this daemon started: restart needed';

/** The parts, and what an upgrade changes in any case. The names of the files that a part shares tell what is in them. */
const TELLING = [
  '../package.json',
  'main.js',
  'policy-thread.js',
  'policy-process.js',
  'edit-thread.js',
  'epoll-worker.js',
];

/**
 * Whether the program on disk is still the one that runs. What loads large policies, works out changes of one and
 * replaces a worker that died is started from there: another version's parts would not understand this one's.
 */
export class ProgramFiles {
  readonly #directory: string;
  readonly #atStart: string;
  #onChange: () => void = () => {};
  #hasChanged = false;

  /** `directory`: where the program is; by default the compiled one that this file belongs to. */
  constructor(directory = fileURLToPath(new URL('.', import.meta.url))) {
    this.#directory = directory;
    this.#atStart = this.#look();
  }

  /** `hear` is called once, when a change is found. */
  tell(hear: () => void): void {
    this.#onChange = hear;
  }

  /** Looks at the files. Once true, for good. */
  haveChanged(): boolean {
    if (this.#hasChanged || this.#look() === this.#atStart) return this.#hasChanged;
    this.#hasChanged = true;
    this.#onChange();
    return true;
  }

  #look(): string {
    const sum = createHash('sha256');
    for (const name of TELLING) sum.update(readIfThere(join(this.#directory, name))).update('\0');
    return sum.digest('base64');
  }
}

/** A file that cannot be read is as good as gone. */
function readIfThere(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch {
    return new Uint8Array();
  }
}
