import { realpath } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { watch as watchPaths } from 'chokidar';
import { hashFiles, readPolicyFiles } from './read-file.ts';

/** Something that says when anything under some directories may have changed. Chokidar, in production. */
export interface DirectoryWatcher {
  /** Watches these as well; those already watched are left alone. */
  add(directories: readonly string[]): void;
  close(): Promise<void>;
}

export interface WatchOptions {
  /** The hash of what is loaded: present content that differs is a change. Default: the present content is known. */
  readonly loadedSha256?: string;
  /** A burst of events is answered once, so long after the last of them. */
  readonly settleMs?: number;
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
 * Calls `onChange` with the new hash whenever the content of a policy file or directory has changed. Events are only
 * hints: what counts is the content, so a touch changes nothing, and an atomic rename or the symlink swap of a
 * Kubernetes ConfigMap is seen because the directories are watched, the one the path names and the one it leads to.
 * A policy that is missing or cannot be read is no change: the next readable content is held against the last.
 * Resolves once watching has begun and the present content is known.
 */
export async function watchPolicy(
  path: string,
  onChange: (sha256: string) => void,
  { loadedSha256, settleMs = 100, watchDirectories = watchWithChokidar }: WatchOptions = {},
): Promise<PolicyWatcher> {
  let lastHash = loadedSha256 ?? (await hashPolicy(path));
  let timer: NodeJS.Timeout | undefined;
  let checking: Promise<void> = Promise.resolve();
  let isClosed = false;

  const check = async (): Promise<void> => {
    if (isClosed) return;
    watcher.add(await directoriesOf(path));
    const hash = await hashPolicy(path);
    if (hash === null || hash === lastHash) return;
    lastHash = hash;
    if (!isClosed) onChange(hash);
  };
  const onEvent = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      checking = checking.then(check);
    }, settleMs);
    timer.unref();
  };

  const watcher = await watchDirectories(await directoriesOf(path), onEvent);
  await check();
  return {
    async close() {
      isClosed = true;
      clearTimeout(timer);
      await watcher.close();
      await checking;
    },
  };
}

async function hashPolicy(path: string): Promise<string | null> {
  const files = await readPolicyFiles(path);
  return files.ok ? hashFiles(files.value) : null;
}

async function directoriesOf(path: string): Promise<string[]> {
  const directories = new Set([resolve(path), dirname(resolve(path))]);
  const target = await realpath(path).catch(() => null);
  if (target !== null) directories.add(target).add(dirname(target));
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
