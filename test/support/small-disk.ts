import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Scope } from './scope.ts';

/** Mounting needs root. */
export const canMount = process.getuid?.() === 0 && spawnSync('mount', ['--version']).status === 0;

export function temporaryDirectory(scope: Scope): string {
  const made = mkdtempSync(join(tmpdir(), 'sallyport-disk-'));
  scope.defer(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** A directory on a file system of its own, with options of tmpfs: `size=512k`. */
export function smallDisk(scope: Scope, options: string): string {
  const at = temporaryDirectory(scope);
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', at]);
  scope.defer(() => execFileSync('umount', ['-l', at]));
  return at;
}

/** Takes all the room there is, by a file. */
export function fillDisk(file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  for (let size = 1 << 20; size >= 1; size = Math.floor(size / 2)) {
    spawnSync('sh', ['-c', `head -c ${size} /dev/zero >> '${file}'`]);
  }
}
