import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Diagnostic } from './diagnostics.ts';

/** Larger than any policy; small enough to parse without harm. */
const MAX_BYTES = 64 * 1024 * 1024;

const NO_FILE = ['holds no *.yaml or *.yml file', 'put a policy file there'] as const;

/** Hashed in one go, in less than a millisecond. */
const PIECE_BYTES = 256 * 1024;

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
  return withRegularFile(file, async handle => {
    const bytes = new Uint8Array(await handle.readFile());
    return {
      ok: true,
      value: { file, bytes, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) },
    };
  });
}

/** The files that a policy is made of. */
export interface PolicySources {
  /** The file itself, or the `*.yaml` and `*.yml` of a directory in name order. Never empty. */
  readonly files: readonly SourceFile[];
  /** Those of `presets.d`, beside the file or in the directory. */
  readonly presets: readonly SourceFile[];
}

/** Reads the files that a policy is made of. Reports an empty directory. */
export async function readPolicySources(path: string): Promise<ReadResult<PolicySources>> {
  try {
    const isDirectory = (await stat(path)).isDirectory();
    const files = isDirectory ? await readYamlFiles(path) : await readOne(path);
    if (!files.ok) return files;
    if (files.value.length === 0) return refuse(path, ...NO_FILE);
    const own = presetDirectory(path, isDirectory);
    const presets = await readYamlFiles(own);
    if (!presets.ok && (await exists(own))) return presets;
    return { ok: true, value: { files: files.value, presets: presets.ok ? presets.value : [] } };
  } catch (error) {
    return refuse(path, ...describeReadError(error));
  }
}

/** Where the presets of a policy's own are, if there are any. */
export function presetDirectory(policyPath: string, isDirectory: boolean): string {
  return join(isDirectory ? policyPath : dirname(policyPath), 'presets.d');
}

async function readOne(file: string): Promise<ReadResult<readonly SourceFile[]>> {
  const read = await readSourceFile(file);
  return read.ok ? { ok: true, value: [read.value] } : read;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    error => error.code !== 'ENOENT',
  );
}

/** The `*.yaml` and `*.yml` of a directory, not those that begin with a dot, in name order; 64 MiB together at most. */
export async function readYamlFiles(directory: string): Promise<ReadResult<readonly SourceFile[]>> {
  const listed = await listYamlFiles(directory);
  if (!listed.ok) return listed;
  const files: SourceFile[] = [];
  let bytes = 0;
  for (const file of listed.value) {
    const read = await readSourceFile(file);
    if (!read.ok) return read;
    files.push(read.value);
    bytes += read.value.bytes.length;
    if (bytes > MAX_BYTES) return refuse(directory, 'holds more than 64 MiB', 'write fewer rules');
  }
  return { ok: true, value: files };
}

/** The paths of those files. */
export async function listYamlFiles(directory: string): Promise<ReadResult<readonly string[]>> {
  try {
    const names = (await readdir(directory)).filter(isYamlName).sort();
    return { ok: true, value: names.map(name => join(directory, name)) };
  } catch (error) {
    return refuse(directory, ...describeReadError(error));
  }
}

/** The size of a policy's files together; 0 where there is nothing to be read, which loading says in words. */
export async function policyBytes(path: string): Promise<number> {
  try {
    const sizes = await Promise.all((await policyPaths(path)).map(async file => (await stat(file)).size));
    return sizes.reduce((sum, size) => sum + size, 0);
  } catch {
    return 0;
  }
}

/**
 * What `hashSources` says of a policy's files, read in pieces so that nothing else waits for it; or why one of them
 * cannot be read.
 */
export async function hashPolicy(path: string): Promise<ReadResult<string>> {
  try {
    const hash = createHash('sha256');
    const files = await policyPaths(path);
    if (files.length === 0) return refuse(path, ...NO_FILE);
    for (const file of files) {
      const read = await withRegularFile(file, async (handle, size) => {
        // Loading refuses it as well; most often, it is about to be written.
        if (size === 0) return refuse(file, 'is empty', 'begin with "version: 1"');
        if (files.length > 1) hash.update(fileHead(file, size));
        return (await hashPieces(hash, handle)) === size
          ? { ok: true, value: size }
          : refuse(file, 'changes while it is read', 'load it again');
      });
      if (!read.ok) return read;
    }
    return { ok: true, value: hash.digest('hex') };
  } catch (error) {
    return refuse(path, ...describeReadError(error));
  }
}

/** SHA-256 in lower-case hex: of the file's bytes when there is one, else of all names, sizes and bytes in order. */
export function hashSources(sources: PolicySources): string {
  const files = [...sources.files, ...sources.presets];
  const hash = createHash('sha256');
  for (const { file, bytes } of files) {
    if (files.length > 1) hash.update(fileHead(file, bytes.length));
    hash.update(bytes);
  }
  return hash.digest('hex');
}

/** The paths of the files that a policy is made of, as `readPolicySources` reads them. */
async function policyPaths(path: string): Promise<string[]> {
  const isDirectory = (await stat(path)).isDirectory();
  const files = isDirectory ? await listYamlFiles(path) : { ok: true as const, value: [path] };
  const own = presetDirectory(path, isDirectory);
  const presets = await listYamlFiles(own);
  if (!files.ok || (!presets.ok && (await exists(own)))) throw new Error(`${path} cannot be listed`);
  if (files.value.length === 0) return [];
  return [...files.value, ...(presets.ok ? presets.value : [])];
}

/** Whether a file in a directory of policies is one of them. */
export function isYamlName(name: string): boolean {
  return /^[^.].*\.ya?ml$/.test(name);
}

/** Hands an open file and its size over; refuses what is not a regular file of bearable size. */
async function withRegularFile<T>(
  file: string,
  use: (handle: FileHandle, size: number) => Promise<ReadResult<T>>,
): Promise<ReadResult<T>> {
  try {
    // O_NONBLOCK: opening a FIFO must not wait for its writer.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const info = await handle.stat();
      if (info.isDirectory()) return refuse(file, 'is a directory', 'name a file');
      if (!info.isFile()) return refuse(file, 'is not a regular file', 'name a file of YAML text');
      if (info.size > MAX_BYTES)
        return refuse(file, 'is larger than 64 MiB', 'split it, or write fewer rules');
      return await use(handle, info.size);
    } finally {
      await handle.close();
    }
  } catch (error) {
    return refuse(file, ...describeReadError(error));
  }
}

/** How many bytes there were. */
async function hashPieces(hash: Hash, handle: FileHandle): Promise<number> {
  const piece = new Uint8Array(PIECE_BYTES);
  for (let total = 0; ; ) {
    const { bytesRead } = await handle.read(piece, 0, PIECE_BYTES);
    if (bytesRead === 0 || total > MAX_BYTES) return total;
    hash.update(piece.subarray(0, bytesRead));
    total += bytesRead;
  }
}

function fileHead(file: string, size: number): string {
  return JSON.stringify([file, size]);
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
