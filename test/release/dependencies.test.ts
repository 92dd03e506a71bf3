import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isPermissive, listLicenses } from '../../release/licenses.ts';
import { readLock, runtimePackages } from '../../release/lock.ts';
import { runCommand } from '../support/command.ts';

const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
const manifest = JSON.parse(read('package.json'));
const lock = readLock(read('package-lock.json'), manifest.name);

/** What works without its install script, and why it has one. */
const SCRIPTS: Readonly<Record<string, string>> = {
  koffi:
    'compiles itself where no prebuilt binary fits; those for glibc and musl, x64 and arm64, are packages of their own',
};

describe('dependencies', () => {
  it('are pinned: no range stands in package.json', () => {
    const ranges = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+$/.test(String(version)),
    );
    expect(ranges).toEqual([]);
  });

  it('are in the lock with a hash of SHA-512 each', () => {
    const loose = lock.filter(({ path, integrity }) => path !== '' && !integrity?.startsWith('sha512-'));
    expect(loose.map(({ path }) => path)).toEqual([]);
  });

  it('come from no place that the lock names', () => {
    expect(read('package-lock.json')).not.toContain('"resolved"');
  });

  it('need no install script', () => {
    const scripted = lock.filter(({ hasInstallScript }) => hasInstallScript).map(({ name }) => name);
    expect(scripted).toEqual(Object.keys(SCRIPTS));
  });

  it('that run are under permissive licences', () => {
    const others = runtimePackages(lock).filter(({ license }) => license === null || !isPermissive(license));
    expect(others).toEqual([]);
    expect(listLicenses(lock).split('\n')).toContain('MIT         hono 4.13.19');
  });

  it.each([
    ['MIT', true],
    ['(MIT OR GPL-3.0-only)', true],
    ['GPL-2.0-only OR Apache-2.0', true],
    ['MIT AND ISC', true],
    ['MIT AND GPL-2.0-only', false],
    ['GPL-3.0-or-later', false],
    ['(MIT OR ISC) AND GPL-2.0-only', false],
    ['UNLICENSED', false],
    ['SEE LICENSE IN LICENSE', false],
    ['', false],
  ])('%s is permissive: %s', (expression, expected) => {
    expect(isPermissive(expression)).toBe(expected);
  });
});

describe('the package', () => {
  it('holds what is meant to be in it, and nothing else', async () => {
    const { code, stdout } = await runCommand('npm', ['pack', '--dry-run', '--json', '--ignore-scripts']);
    expect(code).toBe(0);
    const paths: string[] = JSON.parse(stdout)[0].files.map(({ path }: { path: string }) => path);
    const meant =
      /^(dist\/[\w/-]+(\.d)?\.(js|ts)|dist\/THIRD-PARTY-LICENSES\.txt|config\/[\w/.-]+|package\.json|README\.md|CHANGELOG\.md|SECURITY\.md|LICENSE)$/;
    expect(
      paths.filter(path => !meant.test(path) || /(^|\/)\.|\.(key|pem|db|log|token)$/.test(path)),
    ).toEqual([]);
    for (const path of ['dist/main.js', 'dist/tls-sni/index.d.ts', 'config/policy.yaml', 'LICENSE']) {
      expect(paths).toContain(path);
    }
    const notices = read('dist/THIRD-PARTY-LICENSES.txt');
    for (const bundled of ['hono', 'pino', 'prom-client', 'yaml', 'zod']) {
      expect(notices).toContain(`== ${bundled}\n\n`);
    }
    const presets = paths.filter(path => path.startsWith('config/presets/'));
    expect(presets.length).toBeGreaterThan(5);
  });
});
