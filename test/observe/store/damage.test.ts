import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import Database from 'libsql';
import { beforeEach, describe, expect, test } from 'vitest';
import { decision } from '../support.ts';
import { count, type Kept, keep, knownBy, storePath } from './support.ts';

const PAGE = 4_096;

let path = '';

/** A file that some hundred sites are kept in. */
beforeEach(async () => {
  path = storePath();
  const kept = await keep(path);
  count(
    kept,
    ...Array.from({ length: 300 }, (_, i) => decision({ hostname: `host-${i}.example`, rule: 'api' })),
  );
  await kept.store.close(5_000);
});

const files = () => readdirSync(dirname(path)).sort();
const asideOf = () => files().filter(name => name.startsWith('sallyport.db.corrupt-'));

/** It counts, keeps what it counts, and finds that again. */
async function expectToWork(kept: Kept): Promise<void> {
  count(kept, decision({ hostname: 'after.example' }));
  await kept.store.close(5_000);
  const again = await keep(path);
  expect(knownBy(again).sites.map(({ host }) => host)).toContain('after.example');
  expect(again.log.said).toEqual([]);
  await again.store.close(5_000);
}

describe('a file that is damaged is set aside, and a new one begun', () => {
  const size = () => statSync(path).size;
  const overwrite = (at: number, bytes: Uint8Array) => {
    const content = readFileSync(path);
    content.set(bytes, at);
    writeFileSync(path, content);
  };
  const cases: readonly [string, () => void][] = [
    ['cut off in the middle of a page', () => truncateSync(path, size() - 100)],
    ['cut off after a page', () => truncateSync(path, size() - 5 * PAGE)],
    ['cut down to half a header', () => truncateSync(path, 50)],
    ['garbage', () => writeFileSync(path, 'garbage\n'.repeat(2_000))],
    ['with a garbage header', () => overwrite(0, Buffer.alloc(100, 0xa5))],
    ['with a page of zeros', () => overwrite(size() - 3 * PAGE, Buffer.alloc(PAGE))],
    ['with a page of noise', () => overwrite(size() - 3 * PAGE, Buffer.alloc(PAGE, 0x5a))],
    ['with the table’s root overwritten', () => overwrite(2 * PAGE, Buffer.alloc(PAGE, 0xff))],
    ['with zeros only', () => writeFileSync(path, Buffer.alloc(8 * PAGE))],
  ];
  test.each(cases)('%s', async (_, damage) => {
    damage();
    const kept = await keep(path);
    expect(kept.log.said).toEqual([
      expect.stringMatching(
        /^.*sallyport\.db is damaged \(.+\): it is now .*sallyport\.db\.corrupt-20261121T120000Z, and a new file was begun$/,
      ),
    ]);
    expect(knownBy(kept).sites).toEqual([]);
    expect(asideOf()).toEqual(['sallyport.db.corrupt-20261121T120000Z']);
    await expectToWork(kept);
  });

  test('and one that was set aside before is not written over', async () => {
    for (const name of ['', '-1']) {
      writeFileSync(path, 'garbage\n'.repeat(2_000));
      const kept = await keep(path);
      expect(kept.log.said[0]).toContain(`.corrupt-20261121T120000Z${name},`);
      await kept.store.close(5_000);
    }
    expect(asideOf()).toHaveLength(2);
  });
});

describe('a file that is not ours is left alone', () => {
  const cases: readonly [string, () => void, RegExp][] = [
    [
      'another program’s database',
      () => new Database(path).exec('PRAGMA application_id = 99'),
      /it is the database of another program/,
    ],
    [
      'a later version’s',
      () => new Database(path).exec('PRAGMA user_version = 2'),
      /it is of format 2, and this version of sallyport knows format 1/,
    ],
  ];
  test.each(cases)('%s', async (_, change, message) => {
    change();
    const kept = await keep(path);
    expect(kept.store.status.state).toBe('failing');
    expect(kept.log.said).toEqual([expect.stringMatching(message)]);
    count(kept, decision());
    expect(knownBy(kept).sites).toHaveLength(1);
    await kept.store.close(100);
    expect(asideOf()).toEqual([]);
  });

  test('a directory', async () => {
    const directory = storePath();
    mkdirSync(directory, { recursive: true });
    const kept = await keep(directory);
    expect(kept.log.said).toEqual([expect.stringMatching(/cannot be kept in .*: it cannot be opened/)]);
    await kept.store.close(100);
  });
});

test('two daemons do not share a file', async () => {
  const first = await keep(path);
  const second = await keep(path);
  expect(second.log.said).toEqual([expect.stringMatching(/another process holds it/)]);
  await first.store.close(5_000);
  await second.store.close(100);
});

test('a missing directory is made', async () => {
  const fresh = storePath();
  const kept = await keep(fresh);
  expect([kept.log.said, existsSync(fresh)]).toEqual([[], true]);
  await kept.store.close(5_000);
});
