import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Diagnostic } from './diagnostics.ts';

/** Larger than any policy; small enough to parse without harm. */
const MAX_BYTES = 64 * 1024 * 1024;

export interface SourceFile {
  /** As it is named in diagnostics. */
  readonly file: string;
  readonly text: string;
  readonly bytes: Uint8Array;
}

export type ReadResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly diagnostic: Diagnostic };

/** Reads one regular file of UTF-8 text. A FIFO or a device is refused without being read. */
export async function readSourceFile(file: string): Promise<ReadResult<SourceFile>> {
  try {
    // O_NONBLOCK: opening a FIFO must not wait for its writer.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const info = await handle.stat();
      if (info.isDirectory()) return refuse(file, 'is a directory', 'name a file');
      if (!info.isFile()) return refuse(file, 'is not a regular file', 'name a file of YAML text');
      if (info.size > MAX_BYTES)
        return refuse(file, 'is larger than 64 MiB', 'split it, or write fewer rules');
      const bytes = new Uint8Array(await handle.readFile());
      return {
        ok: true,
        value: { file, bytes, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) },
      };
    } finally {
      await handle.close();
    }
  } catch (error) {
    return refuse(file, ...describeReadError(error));
  }
}

/**
 * The files that make up a policy: the file itself, or the `*.yaml` and `*.yml` of a directory in name order
 * (see `readYamlFiles`). Reports an empty directory.
 */
export async function readPolicyFiles(path: string): Promise<ReadResult<readonly SourceFile[]>> {
  try {
    if (!(await stat(path)).isDirectory()) {
      const read = await readSourceFile(path);
      return read.ok ? { ok: true, value: [read.value] } : read;
    }
    const files = await readYamlFiles(path);
    if (files.ok && files.value.length === 0)
      return refuse(path, 'holds no *.yaml or *.yml file', 'put a policy file there');
    return files;
  } catch (error) {
    return refuse(path, ...describeReadError(error));
  }
}

/** The `*.yaml` and `*.yml` of a directory in name order, not those that begin with a dot; 64 MiB together at most. */
export async function readYamlFiles(directory: string): Promise<ReadResult<readonly SourceFile[]>> {
  try {
    const names = (await readdir(directory)).filter(isYamlName).sort();
    const files: SourceFile[] = [];
    let bytes = 0;
    for (const name of names) {
      const read = await readSourceFile(join(directory, name));
      if (!read.ok) return read;
      files.push(read.value);
      bytes += read.value.bytes.length;
      if (bytes > MAX_BYTES) return refuse(directory, 'holds more than 64 MiB', 'write fewer rules');
    }
    return { ok: true, value: files };
  } catch (error) {
    return refuse(directory, ...describeReadError(error));
  }
}

/** The size of a policy's files together; 0 where there is nothing to be read, which loading says in words. */
export async function policyBytes(path: string): Promise<number> {
  try {
    const info = await stat(path);
    if (!info.isDirectory()) return info.size;
    const names = (await readdir(path)).filter(isYamlName);
    const sizes = await Promise.all(names.map(async name => (await stat(join(path, name))).size));
    return sizes.reduce((sum, size) => sum + size, 0);
  } catch {
    return 0;
  }
}

/** SHA-256 in lower-case hex: of the file's bytes when there is one, else of all names, sizes and bytes in order. */
export function hashFiles(files: readonly SourceFile[]): string {
  const hash = createHash('sha256');
  for (const { file, bytes } of files) {
    if (files.length > 1) hash.update(JSON.stringify([file, bytes.length]));
    hash.update(bytes);
  }
  return hash.digest('hex');
}

function isYamlName(name: string): boolean {
  return /^[^.].*\.ya?ml$/.test(name);
}

function refuse(
  file: string,
  message: string,
  fix: string,
): { readonly ok: false; readonly diagnostic: Diagnostic } {
  return { ok: false, diagnostic: { file, line: 1, col: 1, path: '', message, fix, severity: 'error' } };
}

function describeReadError(error: unknown): [message: string, fix: string] {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'ENOENT':
      return ['does not exist', 'check the path'];
    case 'ENOTDIR':
      return ['does not exist: a part of the path is no directory', 'check the path'];
    case 'EACCES':
    case 'EPERM':
      return ['cannot be read: permission denied', 'let the user sallyport runs as read it'];
    case 'ELOOP':
      return ['cannot be read: too many symbolic links', 'check where the links lead'];
    case 'ENXIO':
      return ['is not a regular file', 'name a file of YAML text'];
    case 'ERR_ENCODING_INVALID_ENCODED_DATA':
      return ['is not UTF-8 text', 'save it as UTF-8'];
    default:
      return [`cannot be read: ${error instanceof Error ? error.message : String(error)}`, 'check the file'];
  }
}
