import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { replaceFile, sha256Of } from '../../src/config/replace-file.ts';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-replace-'));
  path = join(directory, 'policy.yaml');
  writeFileSync(path, 'old');
});
afterEach(() => rmSync(directory, { recursive: true }));

const bytes = (text: string) => new TextEncoder().encode(text);
const OLD = sha256Of(bytes('old'));
const isRoot = process.geteuid?.() === 0;

/** Acts without the rights of root. */
async function asNobody<T>(act: () => Promise<T>): Promise<T> {
  if (!isRoot) return act();
  process.seteuid?.(65_534);
  try {
    return await act();
  } finally {
    process.seteuid?.(0);
  }
}

describe('replaceFile', () => {
  it('puts the new content in place, and leaves nothing else behind', async () => {
    expect(await replaceFile(path, bytes('new'), OLD)).toEqual({ ok: true });
    expect([readFileSync(path, 'utf8'), readdirSync(directory)]).toEqual(['new', ['policy.yaml']]);
  });

  it.each([0o600, 0o644, 0o664, 0o640])('keeps the mode %o', async mode => {
    chmodSync(path, mode);
    await replaceFile(path, bytes('new'), OLD);
    expect(statSync(path).mode & 0o7777).toBe(mode);
  });

  it.runIf(isRoot)('keeps the owner (as root)', async () => {
    chownSync(path, 1234, 5678);
    await replaceFile(path, bytes('new'), OLD);
    const { uid, gid } = statSync(path);
    expect([uid, gid]).toEqual([1234, 5678]);
  });

  it('replaces the target of a symbolic link, and keeps the link', async () => {
    mkdirSync(join(directory, 'real'));
    const target = join(directory, 'real', 'p.yaml');
    writeFileSync(target, 'old');
    const link = join(directory, 'link.yaml');
    symlinkSync('real/p.yaml', link);
    expect(await replaceFile(link, bytes('new'), OLD)).toEqual({ ok: true });
    expect([readlinkSync(link), readFileSync(target, 'utf8')]).toEqual(['real/p.yaml', 'new']);
    expect(lstatSync(target).isSymbolicLink()).toBe(false);
  });

  it('leaves a file alone that no longer holds what was read', async () => {
    writeFileSync(path, 'another');
    expect(await replaceFile(path, bytes('new'), OLD)).toEqual({
      ok: false,
      reason: 'changed',
      message: `${path} was changed meanwhile (look at it, and try again)`,
    });
    expect([readFileSync(path, 'utf8'), readdirSync(directory)]).toEqual(['another', ['policy.yaml']]);
  });

  it('lets one of many editors through, and tells the others', async () => {
    const texts = Array.from({ length: 20 }, (_, i) => `new ${i}`);
    const results = await Promise.all(texts.map(text => replaceFile(path, bytes(text), OLD)));
    const won = results.flatMap((result, i) => (result.ok ? [texts[i]] : []));
    expect(won).toEqual([readFileSync(path, 'utf8')]);
    for (const result of results)
      expect(result.ok || result.reason).toSatisfy(r => r === true || r === 'changed');
    expect(readdirSync(directory)).toEqual(['policy.yaml']);
  });

  it('waits for nobody: another edit under way is a refusal that names its file', async () => {
    const lock = join(directory, '.policy.yaml.sallyport-edit');
    writeFileSync(lock, 'half');
    const result = await replaceFile(path, bytes('new'), OLD);
    expect(result).toEqual({
      ok: false,
      reason: 'changed',
      message: `another edit of ${path} is under way (if there is none, remove ${lock})`,
    });
    expect([readFileSync(path, 'utf8'), readFileSync(lock, 'utf8')]).toEqual(['old', 'half']);
  });

  it('takes the place of an edit that was cut off long ago', async () => {
    const lock = join(directory, '.policy.yaml.sallyport-edit');
    writeFileSync(lock, 'half');
    utimesSync(lock, 0, 0);
    expect(await replaceFile(path, bytes('new'), OLD)).toEqual({ ok: true });
    expect([readFileSync(path, 'utf8'), readdirSync(directory)]).toEqual(['new', ['policy.yaml']]);
  });

  it('does not follow a link somebody put where it writes first', async () => {
    const victim = join(directory, 'victim');
    writeFileSync(victim, 'untouched');
    symlinkSync(victim, join(directory, '.policy.yaml.sallyport-edit'));
    expect((await replaceFile(path, bytes('new'), OLD)).ok).toBe(false);
    expect(readFileSync(victim, 'utf8')).toBe('untouched');
  });

  it('says of a Kubernetes ConfigMap that it has to be changed elsewhere', async () => {
    const version = join(directory, '..2026_11_21_10_00_00.123456789');
    mkdirSync(version);
    writeFileSync(join(version, 'policy.yaml'), 'old');
    symlinkSync(version, join(directory, '..data'));
    rmSync(path);
    symlinkSync('..data/policy.yaml', path);
    expect(await replaceFile(path, bytes('new'), OLD)).toEqual({
      ok: false,
      reason: 'unwritable',
      message: `${path} comes from a Kubernetes ConfigMap or Secret: change that one`,
    });
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  it('says that the directory may not be written', async () => {
    chmodSync(directory, 0o555);
    const result = await asNobody(() => replaceFile(path, bytes('new'), OLD));
    chmodSync(directory, 0o755);
    expect(result).toEqual({
      ok: false,
      reason: 'unwritable',
      message: `${path} cannot be replaced: permission denied (let the user sallyport runs as write in its directory)`,
    });
  });

  it.runIf(isRoot)('does not change hands: a file of somebody else stays (as root)', async () => {
    chmodSync(directory, 0o777);
    const result = await asNobody(() => replaceFile(path, bytes('new'), OLD));
    expect(result).toMatchObject({ ok: false, reason: 'unwritable' });
    expect(result.ok || result.message).toContain('with its owner kept');
    expect(readdirSync(directory)).toEqual(['policy.yaml']);
  });

  it('says that the file is gone', async () => {
    rmSync(path);
    expect(await replaceFile(path, bytes('new'), OLD)).toEqual({
      ok: false,
      reason: 'unwritable',
      message: `${path} does not exist any more`,
    });
  });
});
