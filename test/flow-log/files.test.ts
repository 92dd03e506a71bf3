import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type LogProgress, readLogs } from '../../src/flow-log/read-logs.ts';
import { decision } from '../observe/support.ts';
import { written } from './support.ts';

const LINES = Array.from({ length: 5_000 }, (_, i) =>
  written('json', decision({ hostname: `h${i}.example` })).join(''),
);
const LOG = LINES.join('');
let packed: Buffer;

beforeAll(() => {
  packed = gzipSync(LOG);
});

async function read(files: readonly (string | Buffer)[], stdin: readonly Buffer[] = []) {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-log-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const names = files.map((content, i) => {
    const name = join(directory, `${i}.log`);
    if (content === '-') return '-';
    writeFileSync(name, content);
    return name;
  });
  const hosts: (string | null)[] = [];
  const progress: LogProgress[] = [];
  const logs = await readLogs(names, {
    stdin: Readable.from(stdin, { objectMode: false }),
    defaultPort: 443,
    visit: flow => hosts.push(flow.hostname),
    onProgress: current => progress.push(current),
  });
  return { hosts, logs, progress };
}

describe('a log is read', () => {
  test.each<[string, () => (string | Buffer)[], () => Buffer[]]>([
    ['from a file', () => [LOG], () => []],
    ['from several, in order', () => [LINES.slice(0, 99).join(''), LINES.slice(99).join('')], () => []],
    ['from a gzipped file, whatever its name', () => [packed], () => []],
    [
      'from a file of several gzip members',
      () => [Buffer.concat([gzipSync(LINES.slice(0, 99).join('')), gzipSync(LINES.slice(99).join(''))])],
      () => [],
    ],
    ['from standard input', () => ['-'], () => [Buffer.from(LOG)]],
    [
      'from gzipped standard input, byte by byte at first',
      () => ['-'],
      () => [packed.subarray(0, 1), packed.subarray(1, 2), packed.subarray(2)],
    ],
    ['from both', () => [LINES.slice(0, 99).join(''), '-'], () => [Buffer.from(LINES.slice(99).join(''))]],
  ])('%s', async (_, files, stdin) => {
    const { hosts, logs } = await read(files(), stdin());
    expect(hosts).toEqual(LINES.map((_line, i) => `h${i}.example`));
    expect(logs.map(({ failure }) => failure)).toEqual(files().map(() => null));
  });
});

test('an empty log holds nothing', async () => {
  expect((await read(['', '-'])).logs).toMatchObject([
    { lines: 0, records: 0 },
    { lines: 0, records: 0, name: 'stdin' },
  ]);
});

test('a gzipped log that is still being written is read as far as it goes, and says so', async () => {
  const { hosts, logs } = await read([packed.subarray(0, packed.length / 2), LOG]);
  expect(hosts.length).toBeGreaterThan(5_000);
  expect(logs.map(({ failure }) => failure)).toEqual(['ends inside its gzip data', null]);
});

test('broken gzip data is said to be', async () => {
  const broken = Buffer.from(packed);
  broken.fill(0xff, 2_000, 2_100);
  expect((await read([broken])).logs).toMatchObject([{ failure: 'holds broken gzip data' }]);
});

test.each([
  ['that is not there', '/nowhere/a.log', '/nowhere/a.log: does not exist (check the path)'],
  ['that is a directory', tmpdir(), `${tmpdir()}: is a directory (name the files in it)`],
])('a log %s is refused before any is read', async (_, name, message) => {
  const options = { stdin: Readable.from([]), defaultPort: 443, visit: () => {}, onProgress: () => {} };
  await expect(readLogs([name], options)).rejects.toThrow(message);
});

test('progress tells what share of all bytes was read, and none of a pipe', async () => {
  const { progress } = await read([LOG, packed]);
  expect(progress.at(-1)).toEqual({
    records: 10_000,
    bytesRead: LOG.length + packed.length,
    bytesInAll: LOG.length + packed.length,
  });
  expect((await read([LOG, '-'], [packed])).progress.at(-1)).toMatchObject({
    records: 10_000,
    bytesInAll: null,
  });
});
