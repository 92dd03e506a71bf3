import { statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What is said in every place that would start a part of the program. */
export const RESTART_NEEDED = 'the program files have changed since this daemon started: restart needed';

/** What an upgrade replaces, whatever it brings; the last one is what the compiler writes when it replaces a part. */
const TELLING = [
  '../package.json',
  'main.js',
  'daemon/policy-thread.js',
  'daemon/policy-process.js',
  'daemon/edit-thread.js',
  'daemon/epoll-worker.js',
  '.tsbuildinfo',
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
  constructor(directory = fileURLToPath(new URL('..', import.meta.url))) {
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
    const files = TELLING.map(name => statSync(join(this.#directory, name), { throwIfNoEntry: false }));
    return JSON.stringify(files.map(file => [file?.ino, file?.size, file?.mtimeMs]));
  }
}
