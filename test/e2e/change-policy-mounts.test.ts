import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../support/command.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const POLICY = 'version: 1\nmode: observe\nrules: []\n';

const canMount = spawnSync('unshare', ['--mount', 'true'], { stdio: 'ignore' }).status === 0;

describe.skipIf(!canMount)(
  `a policy on a mount${canMount ? '' : ' (skipped: needs root and unshare)'}`,
  () => {
    let directory: string;
    let path: string;

    beforeEach(() => {
      directory = mkdtempSync(join(tmpdir(), 'sallyport-mount-'));
      path = join(directory, 'policy.yaml');
      writeFileSync(path, POLICY);
    });
    afterEach(() => rmSync(directory, { recursive: true }));

    /** Runs the command where `mounts`, a shell script, has mounted something over `$1`. */
    function enforce(mounts: string, over: string) {
      const change = `exec "$2" "$3" mode enforce --force --yes --policy "$4"`;
      const script = `set -e; ${mounts}; ${change}`;
      return runCommand('unshare', ['--mount', 'sh', '-c', script, 'sh', over, process.execPath, MAIN, path]);
    }

    it.each<[string, string, () => string, string]>([
      [
        'that is read-only',
        'mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"',
        () => directory,
        'is on a read-only file system: change it where it comes from',
      ],
      [
        'of its own',
        'mount --bind "$1" "$1"',
        () => path,
        'is mounted by itself, and a mount cannot be replaced (mount its directory instead)',
      ],
      [
        'that is full',
        'cp "$1/policy.yaml" "$1.keep"; mount -t tmpfs -o size=4k tmpfs "$1"; mv "$1.keep" "$1/policy.yaml"',
        () => directory,
        'cannot be replaced: no space left on the device',
      ],
    ])('%s is left alone, with the difference to apply by hand', async (_, mounts, over, why) => {
      const { code, stdout, stderr } = await enforce(mounts, over());
      expect([code, stderr]).toEqual([1, `${path} ${why}\nnot changed: apply the difference by hand\n`]);
      expect(stdout).toContain('-mode: observe\n+mode: enforce\n');
      expect([readFileSync(path, 'utf8'), readdirSync(directory)]).toEqual([POLICY, ['policy.yaml']]);
    });
  },
);
