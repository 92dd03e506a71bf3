import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { watch as watchPaths } from 'chokidar';
import { hashPolicy, isYamlName, presetDirectory } from './read-file.ts';

/** Something that says when anything under some directories may have changed. Chokidar, in production. */
export interface DirectoryWatcher {
  /** Watches these as well; those already watched are left alone. */
  add(directories: readonly string[]): void;
  close(): Promise<void>;
}

/** In place of a hash: there is nothing that could be read. */
export const UNREADABLE = 'unreadable';

export interface WatchOptions {
  /** The hash of what is loaded now; null before anything is. */
  readonly loadedSha256: () => string | null;
  /**
   * Loads what is there. Resolves to whether it was taken: content that was refused is not offered again, until something
   * else was. What is loaded already is offered after something was refused.
   */
  readonly onChange: (sha256: string | typeof UNREADABLE) => Promise<boolean>;
  /** Events are answered so long after the first of them, however many follow. */
  readonly settleMs?: number;
  /**
   * How long a policy may be missing, unreadable or empty before that is a change: long enough to be deleted and written
   * anew, or cut to nothing and written.
   */
  readonly graceMs?: number;
  /** Resolves once the directories are watched. `onEvent` hears what file changed, by name, where that is known. */
  readonly watchDirectories?: (
    directories: readonly string[],
    onEvent: (written?: string) => void,
  ) => Promise<DirectoryWatcher>;
}

export interface PolicyWatcher {
  /** No `onChange` begins after this is called. */
  close(): Promise<void>;
}

/**
 * Calls `onChange` whenever the content of a policy file or directory is not what is loaded. Events are only hints: what
 * counts is the content, so a touch changes nothing, and an atomic rename or the symlink swap of a Kubernetes ConfigMap
 * is seen because the directories are watched, the one the path names and the one it leads to. A policy that is missing,
 * empty or cannot be read for a while is a change as well: loading it says what is wrong. Resolves once watching has begun
 * and the present content has been looked at.
 */
export async function watchPolicy(
  path: string,
  {
    loadedSha256,
    onChange,
    settleMs = 100,
    graceMs = 1_000,
    watchDirectories = watchWithChokidar,
  }: WatchOptions,
): Promise<PolicyWatcher> {
  let refused: string | null = null;
  let timer: NodeJS.Timeout | undefined;
  let graceTimer: NodeJS.Timeout | undefined;
  let lateTimer: NodeJS.Timeout | undefined;
  let checking: Promise<void> = Promise.resolve();
  let isClosed = false;

  const check = async (isGraceOver = false): Promise<void> => {
    if (isClosed) return;
    const directories = await directoriesOf(path);
    watcher.add(directories);
    if (directories.some(directory => !watched.has(directory))) lookAgain();
    for (const directory of directories) watched.add(directory);
    names = await namesOf(path, directories);
    const hash = await hashPolicy(path);
    // Each way of being unreadable is a content of its own.
    const content = hash.ok ? hash.value : `${UNREADABLE}: ${hash.diagnostic.message}`;
    // What is loaded is offered again after something else was refused: it ends that failure.
    const isKnown = content === refused || (content === loadedSha256() && refused === null);
    if (isKnown || isClosed) return;
    if (!hash.ok && !isGraceOver) {
      graceTimer ??= setTimeout(() => {
        graceTimer = undefined;
        checking = checking.then(() => check(true)).catch(() => {});
      }, graceMs).unref();
      return;
    }
    refused = (await onChange(hash.ok ? hash.value : UNREADABLE)) ? null : content;
  };
  // Not put off by further events: a directory that something else writes to all the time must not starve the policy.
  const onEvent = (written?: string): void => {
    // A log file in the same directory is written to all the time.
    if (written !== undefined && !isYamlName(written) && !names.has(written)) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      checking = checking.then(() => check()).catch(() => {});
    }, settleMs).unref();
  };

  // What is written while a directory is being added may make no event.
  const lookAgain = (): void => {
    clearTimeout(lateTimer);
    lateTimer = setTimeout(() => onEvent(), graceMs).unref();
  };

  const watched = new Set(await directoriesOf(path));
  let names = await namesOf(path, watched);
  const watcher = await watchDirectories([...watched], onEvent);
  await check();
  return {
    async close() {
      isClosed = true;
      clearTimeout(timer);
      clearTimeout(graceTimer);
      clearTimeout(lateTimer);
      await watcher.close();
      await checking;
    },
  };
}

async function directoriesOf(path: string): Promise<string[]> {
  const directories = new Set([resolve(path), dirname(resolve(path))]);
  const isDirectory = await stat(path).then(
    info => info.isDirectory(),
    () => false,
  );
  const presets = presetDirectory(resolve(path), isDirectory);
  for (const place of [path, presets]) {
    const target = await realpath(place).catch(() => null);
    if (target !== null) directories.add(target).add(dirname(target));
  }
  return [...directories];
}

/** Names of files and directories whose change matters, besides those of YAML files: the policy's own, in every form. */
async function namesOf(path: string, directories: Iterable<string>): Promise<ReadonlySet<string>> {
  const target = await realpath(path).catch(() => path);
  return new Set([path, target, ...directories].map(place => basename(resolve(place))));
}

async function watchWithChokidar(
  directories: readonly string[],
  onEvent: (written?: string) => void,
): Promise<DirectoryWatcher> {
  const chokidar = watchPaths([...directories], { depth: 0, ignoreInitial: true, followSymlinks: false });
  const onChange = (event: string, file: string | null) => {
    if (event === 'change' && file !== null) onEvent(basename(file));
    else onEvent();
  };
  // An error is an event as well: a watch that broke is answered by looking at the content.
  chokidar
    .on('all', onChange)
    .on('raw', onChange)
    .on('error', () => onEvent());
  await new Promise<void>(resolve => {
    chokidar.once('ready', resolve);
  });
  return {
    add(more) {
      const watched = chokidar.getWatched();
      chokidar.add(more.filter(directory => !Object.hasOwn(watched, directory)));
    },
    close: () => chokidar.close(),
  };
}
