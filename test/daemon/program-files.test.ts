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
  writeFileSync(join(dist, 'main.js'), 'first');
});
afterEach(() => rmSync(root, { recursive: true }));

describe('the program on disk', () => {
  it.each<[string, () => void]>([
    ['nobody touches it', () => {}],
    ['it is built once more, to the same', () => writeFileSync(join(dist, 'main.js'), 'first')],
    [
      'the very same is put in its place',
      () => {
        writeFileSync(join(dist, 'new'), 'first');
        renameSync(join(dist, 'new'), join(dist, 'main.js'));
      },
    ],
  ])('has not changed when %s', (_, change) => {
    const files = new ProgramFiles(dist);
    change();
    expect([files.haveChanged(), files.haveChanged()]).toEqual([false, false]);
  });

  it.each<[string, () => void]>([
    ['a file is written anew', () => writeFileSync(join(dist, 'main.js'), 'other')],
    [
      'another is put in its place',
      () => {
        writeFileSync(join(dist, 'new'), 'other');
        renameSync(join(dist, 'new'), join(dist, 'main.js'));
      },
    ],
    ['a part comes', () => writeFileSync(join(dist, 'epoll-worker.js'), 'new')],
    ['it is removed', () => rmSync(dist, { recursive: true })],
    ['the package has another version', () => writeFileSync(join(root, 'package.json'), '{"version":"2"}')],
  ])('has changed when %s, for good, and tells once', (_, change) => {
    const files = new ProgramFiles(dist);
    let told = 0;
    files.tell(() => told++);
    change();
    expect(files.haveChanged()).toBe(true);
    mkdirSync(dist, { recursive: true });
    writeFileSync(join(dist, 'main.js'), 'first');
    expect([files.haveChanged(), told]).toEqual([true, 1]);
  });
});
