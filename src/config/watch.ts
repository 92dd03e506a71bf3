import { realpath, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { watch as watchPaths } from 'chokidar';
import { hashPolicy, presetDirectory } from './read-file.ts';

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
  /** Loads what is there. Resolves to whether it was taken: content that was refused is not offered again. */
  readonly onChange: (sha256: string | typeof UNREADABLE) => Promise<boolean>;
  /** Events are answered so long after the first of them, however many follow. */
  readonly settleMs?: number;
  /** How long a policy may be missing or unreadable before that is a change: long enough to be deleted and written anew. */
  readonly graceMs?: number;
  /** Resolves once the directories are watched. */
  readonly watchDirectories?: (
    directories: readonly string[],
    onEvent: () => void,
  ) => Promise<DirectoryWatcher>;
}

export interface PolicyWatcher {
  /** No `onChange` begins after this is called. */
  close(): Promise<void>;
}

/**
 * Calls `onChange` whenever the content of a policy file or directory is not what is loaded. Events are only hints: what
 * counts is the content, so a touch changes nothing, and an atomic rename or the symlink swap of a Kubernetes ConfigMap
 * is seen because the directories are watched, the one the path names and the one it leads to. A policy that is missing
 * or cannot be read for a while is a change as well: loading it says what is wrong. Resolves once watching has begun and the present content has been looked at.
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
    const hash = (await hashPolicy(path)) ?? UNREADABLE;
    if (hash === loadedSha256() || hash === refused || isClosed) return;
    if (hash === UNREADABLE && !isGraceOver) {
      graceTimer ??= setTimeout(() => {
        graceTimer = undefined;
        checking = checking.then(() => check(true)).catch(() => {});
      }, graceMs).unref();
      return;
    }
    refused = (await onChange(hash)) ? null : hash;
  };
  // Not put off by further events: a directory that something else writes to all the time must not starve the policy.
  const onEvent = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      checking = checking.then(() => check()).catch(() => {});
    }, settleMs).unref();
  };

  // What is written while a directory is being added may make no event.
  const lookAgain = (): void => {
    clearTimeout(lateTimer);
    lateTimer = setTimeout(onEvent, graceMs).unref();
  };

  const watched = new Set(await directoriesOf(path));
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

async function watchWithChokidar(
  directories: readonly string[],
  onEvent: () => void,
): Promise<DirectoryWatcher> {
  const chokidar = watchPaths([...directories], { depth: 0, ignoreInitial: true, followSymlinks: false });
  // An error is an event as well: a watch that broke is answered by looking at the content.
  chokidar.on('all', onEvent).on('raw', onEvent).on('error', onEvent);
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
