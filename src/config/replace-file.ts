import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, readFile, realpath, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Why a file was left as it is. `changed`: it no longer holds what was read. `unwritable`: this process may not. */
export type ReplaceResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: 'changed' | 'unwritable'; readonly message: string };

/** An edit holds its lock for milliseconds; one so old was left behind. */
const STALE_LOCK_MS = 60_000;

/**
 * Puts `bytes` in the place of a file that still holds bytes of the hash `expected`, in one step: whoever reads it sees
 * the old or the new content whole. Keeps mode and owner; of a symbolic link the target is replaced. The file it is
 * written to first is also the lock that keeps two editors apart. Rejects only for faults of ours.
 */
export async function replaceFile(path: string, bytes: Uint8Array, expected: string): Promise<ReplaceResult> {
  let lock: string | null = null;
  try {
    const target = await realpath(path);
    if (isConfigMap(target)) {
      return unwritable(`${path} comes from a Kubernetes ConfigMap or Secret: change that one`);
    }
    const temporary = join(dirname(target), `.${basename(target)}.sallyport-edit`);
    const handle = await openLock(temporary);
    if (handle === null) {
      const message = `another edit of ${path} is under way (if there is none, remove ${temporary})`;
      return { ok: false, reason: 'changed', message };
    }
    lock = temporary;
    await fill(handle, bytes, target);
    if (sha256Of(await readFile(target)) !== expected) {
      return {
        ok: false,
        reason: 'changed',
        message: `${path} was changed meanwhile (look at it, and try again)`,
      };
    }
    await rename(temporary, target);
    lock = null;
    await syncDirectory(dirname(target));
    return { ok: true };
  } catch (error) {
    const message = describeWriteError(path, error);
    if (message === null) throw error;
    return unwritable(message);
  } finally {
    if (lock !== null) await unlink(lock).catch(() => {});
  }
}

/** SHA-256 in lower-case hex. */
export function sha256Of(bytes: Uint8Array): string {
  const hash: Hash = createHash('sha256');
  return hash.update(bytes).digest('hex');
}

/** Null when somebody else holds it. */
async function openLock(file: string): Promise<FileHandle | null> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const attempt = () =>
    open(file, flags, 0o600).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
      return null;
    });
  const handle = await attempt();
  if (handle !== null) return handle;
  const held = await stat(file).catch(() => null);
  if (held === null || Date.now() - held.mtimeMs < STALE_LOCK_MS) return null;
  await unlink(file);
  return attempt();
}

/** Writes the bytes, with the mode and the owner of `model`, to the disk. */
async function fill(handle: FileHandle, bytes: Uint8Array, model: string): Promise<void> {
  try {
    const { mode, uid, gid } = await stat(model);
    const own = await handle.stat();
    if (own.uid !== uid || own.gid !== gid) await handle.chown(uid, gid);
    await handle.writeFile(bytes);
    // After the owner: changing that clears set-id bits.
    await handle.chmod(mode & 0o7777);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** So that the new name outlives a power failure. Some file systems cannot. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY);
  try {
    await handle.sync();
  } catch {
    // The rename is done, and seen by everybody.
  } finally {
    await handle.close();
  }
}

/** The kubelet keeps such a volume in `..2026_11_21_…` and swaps a link to it; what is written there gets lost. */
function isConfigMap(target: string): boolean {
  return /\/\.\.\d{4}_\d{2}_\d{2}_[^/]*\//.test(target);
}

function describeWriteError(path: string, error: unknown): string | null {
  switch (error instanceof Error && 'code' in error ? error.code : undefined) {
    case 'EROFS':
      return `${path} is on a read-only file system: change it where it comes from`;
    case 'EACCES':
      return `${path} cannot be replaced: permission denied (let the user sallyport runs as write in its directory)`;
    case 'EPERM':
      return `${path} cannot be replaced with its owner kept: permission denied (edit it as its owner)`;
    case 'EBUSY':
      return `${path} is mounted by itself, and a mount cannot be replaced (mount its directory instead)`;
    case 'ENOSPC':
    case 'EDQUOT':
      return `${path} cannot be replaced: no space left on the device`;
    case 'ENOENT':
      return `${path} does not exist any more`;
    case 'ELOOP':
    case 'ENOTDIR':
      return `${path} does not lead to a file any more`;
    default:
      return null;
  }
}

function unwritable(message: string): ReplaceResult {
  return { ok: false, reason: 'unwritable', message };
}
