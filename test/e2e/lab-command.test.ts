import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOMS } from '../lab/addresses.ts';
import { standingLabs } from '../lab/standing.ts';
import { removeLab, Town } from '../lab/town.ts';
import { runCommand } from '../support/command.ts';
import { labObstacle } from '../support/lab.ts';
import { namespaceNames } from '../support/namespaces.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const MAIN = join(ROOT, 'build/test/lab/main.js');
const obstacle = labObstacle();
const suffix = obstacle === null ? '' : ` (skipped: the network lab ${obstacle})`;

// As `npm run lab` does.
beforeAll(() => {
  execFileSync(
    process.execPath,
    [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.bench.json'],
    {
      cwd: ROOT,
    },
  );
});

/** Whatever there is of labs that this process has built. */
function traces(pid: number): string[] {
  const files = ['/etc/netns', tmpdir()].filter(existsSync).flatMap(directory => readdirSync(directory));
  return [...namespaceNames(), ...files].filter(name => name.startsWith(`sallyport-lab-${pid}-`));
}

/** Processes inside a lab. */
function inside(pid: number): number[] {
  const names = namespaceNames().filter(name => name.startsWith(`sallyport-lab-${pid}-`));
  const pids = names.flatMap(name =>
    execFileSync('ip', ['netns', 'pids', name], { encoding: 'utf8' }).split('\n'),
  );
  return pids.filter(Boolean).map(Number);
}

describe('npm run lab', () => {
  const lab = (...args: string[]) => runCommand(process.execPath, [MAIN, ...args]);

  it('explains itself', async () => {
    const { code, stdout } = await lab('--help');
    expect([code, stdout]).toEqual([0, expect.stringContaining('--intercept redirect|tproxy')]);
  });

  it.each([
    [['--intercept', 'magic'], '--intercept magic: no such way (redirect or tproxy)'],
    [['--keep', '--remove'], '--remove goes with no other option'],
    [['--kepe'], "Unknown option '--kepe'"],
  ])('%j is no way to call it', async (args, why) => {
    const { code, stdout, stderr } = await lab(...args);
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(why)]);
  });

  it.skipIf(obstacle !== null)(`wants root${suffix}`, async () => {
    const somebody = ['--reuid', '65534', '--regid', '65534', '--clear-groups'];
    const { code, stderr } = await runCommand('setpriv', [...somebody, process.execPath, MAIN]);
    expect([code, stderr]).toEqual([2, 'lab: needs root\n']);
  });

  it.skipIf(obstacle !== null)(`names the programs that are missing${suffix}`, async () => {
    const empty = mkdtempSync(join(tmpdir(), 'sallyport-path-'));
    const { code, stderr } = await runCommand(process.execPath, [MAIN], { env: { PATH: empty } });
    rmSync(empty, { recursive: true });
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^lab: needs ip, nft, /)]);
  });
});

describe.skipIf(obstacle !== null)(`a lab leaves nothing behind${suffix}`, () => {
  it.each([
    ['SIGINT', 'ok  ', 130],
    ['SIGTERM', 'building', 143],
  ] as const)('when %s ends it after it has said "%s"', async (signal, word, exitCode) => {
    const child = spawn(process.execPath, [MAIN, '--intercept', 'tproxy'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const { pid = 0 } = child;
    const exited = once(child, 'exit');
    for await (const line of createInterface(child.stdout)) if (line.startsWith(word)) break;
    const [before, programs] = [traces(pid), inside(pid)];
    child.kill(signal);
    const [code] = await exited;
    expect(code).toBe(exitCode);
    if (word === 'ok  ') {
      expect(before.length).toBeGreaterThan(ROOMS.length);
      expect(programs.length).toBeGreaterThanOrEqual(4);
    }
    expect(traces(pid)).toEqual([]);
    expect(programs.filter(isRunning)).toEqual([]);
  });

  it('when it cannot be built', async () => {
    const unbuilt = mkdtempSync(join(tmpdir(), 'sallyport-root-'));
    for (const name of ['config', 'test']) symlinkSync(join(ROOT, name), join(unbuilt, name));
    const building = Town.build({ intercept: 'redirect', root: unbuilt });
    await expect(building).rejects.toThrow(/^sallyport has ended; it said:\n[\s\S]*Cannot find module/);
    rmSync(unbuilt, { recursive: true });
    expect(traces(process.pid)).toEqual([]);
  });

  describe('when it was left standing, and is removed', () => {
    let town: Town;
    beforeAll(async () => {
      town = await Town.build({ intercept: 'redirect', root: ROOT });
    });
    afterAll(() => town?.close());

    it('but not before', async () => {
      const isUsed = () => standingLabs().find(({ id }) => id === town.id)?.isUsed;
      expect(isUsed()).toBe(true);
      town.leave();
      expect(isUsed()).toBe(false);
      const programs = inside(process.pid);
      expect(programs.length).toBeGreaterThanOrEqual(4);
      removeLab(town.id);
      expect(traces(process.pid)).toEqual([]);
      expect(programs.filter(isRunning)).toEqual([]);
    });
  });
});

/** One that has ended and whose parent has not asked yet does not run. */
function isRunning(pid: number): boolean {
  const stat = `/proc/${pid}/stat`;
  return existsSync(stat) && !/\) [ZX] /.test(readFileSync(stat, 'utf8'));
}
