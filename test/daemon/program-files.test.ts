import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProgramFiles } from '../../src/daemon/program-files.ts';

let root: string;
let dist: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sallyport-program-'));
  dist = join(root, 'dist');
  mkdirSync(dist);
  writeFileSync(join(root, 'package.json'), '{}');
  writeFileSync(join(dist, 'main.js'), '');
});
afterEach(() => rmSync(root, { recursive: true }));

describe('the program on disk', () => {
  it('has not changed while nobody touches it', () => {
    const files = new ProgramFiles(dist);
    expect([files.haveChanged(), files.haveChanged()]).toEqual([false, false]);
  });

  it.each<[string, () => void]>([
    ['a file is written anew', () => writeFileSync(join(dist, 'main.js'), 'other')],
    [
      'the very same is put in its place',
      () => {
        writeFileSync(join(dist, 'new'), '');
        renameSync(join(dist, 'new'), join(dist, 'main.js'));
      },
    ],
    ['it is removed', () => rmSync(dist, { recursive: true })],
    ['the package has another version', () => writeFileSync(join(root, 'package.json'), '{"version":"2"}')],
  ])('has changed when %s, for good, and tells once', (_, change) => {
    const files = new ProgramFiles(dist);
    let told = 0;
    files.tell(() => told++);
    change();
    expect(files.haveChanged()).toBe(true);
    mkdirSync(dist, { recursive: true });
    writeFileSync(join(dist, 'main.js'), '');
    expect([files.haveChanged(), told]).toEqual([true, 1]);
  });
});
