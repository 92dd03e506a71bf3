import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatDiagnostic } from '../../src/config/diagnostics.ts';
import { hashPolicy, hashSources, policyBytes, readPolicySources } from '../../src/config/read-file.ts';

const MIB = 1024 * 1024;

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sallyport-read-'));
  path = join(directory, 'policy');
});
afterEach(() => rm(directory, { recursive: true }));

async function writeDirectory(files: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(path);
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text);
}

describe('the hash of a policy on disk', () => {
  it.each<[string, () => Promise<void>]>([
    ['a file', () => writeFile(path, 'version: 1\n')],
    ['a file of several pieces', () => writeFile(path, 'a line of it\n'.repeat(100_000))],
    ['a directory of one file', () => writeDirectory({ 'a.yaml': 'one', 'b.txt': 'no policy' })],
    [
      'a directory of several',
      () => writeDirectory({ 'b.yml': 'two', 'a.yaml': 'one', '.c.yaml': 'hidden' }),
    ],
    [
      'a file with presets beside it',
      async () => {
        await writeFile(path, 'one');
        await mkdir(join(directory, 'presets.d'));
        await writeFile(join(directory, 'presets.d', 'own.yaml'), 'two');
      },
    ],
    [
      'a directory with presets in it',
      async () => {
        await writeDirectory({ 'a.yaml': 'one' });
        await mkdir(join(path, 'presets.d'));
        await writeFile(join(path, 'presets.d', 'own.yaml'), 'two');
      },
    ],
  ])('is that of what is loaded: %s', async (_, write) => {
    await write();
    const read = await readPolicySources(path);
    if (!read.ok) throw new Error(read.diagnostic.message);
    const files = [...read.value.files, ...read.value.presets];
    expect(await hashPolicy(path)).toEqual({ ok: true, value: hashSources(read.value) });
    expect(await policyBytes(path)).toBe(files.reduce((sum, { bytes }) => sum + bytes.length, 0));
  });

  it('tells bytes that are no text from others', async () => {
    await writeFile(path, Buffer.from([0x61, 0xe9]));
    const hash = await hashPolicy(path);
    expect(hash).toEqual({ ok: true, value: expect.stringMatching(/^[0-9a-f]{64}$/) });
    await writeFile(path, Buffer.from([0x61, 0xe8]));
    expect(await hashPolicy(path)).not.toEqual(hash);
  });

  it.each<[string, string, () => Promise<unknown>]>([
    ['nothing', 'does not exist', async () => {}],
    ['an empty file', 'is empty', () => writeFile(path, '')],
    ['an empty directory', 'holds no *.yaml or *.yml file', () => mkdir(path)],
    [
      'a directory in place of a file of one',
      'is a directory',
      () => mkdir(join(path, 'a.yaml'), { recursive: true }),
    ],
    [
      'a file larger than any policy',
      'is larger than 64 MiB',
      () => writeFile(path, '').then(() => truncate(path, 65 * MIB)),
    ],
  ])('cannot be had of %s, and says: %s', async (_, message, write) => {
    await write();
    expect(await hashPolicy(path)).toMatchObject({ ok: false, diagnostic: { message } });
  });
});

it('a directory of policies is bounded as one file is', async () => {
  await mkdir(path);
  for (const name of ['a.yaml', 'b.yaml']) {
    await writeFile(join(path, name), '');
    await truncate(join(path, name), 40 * MIB);
  }
  const files = await readPolicySources(path);
  expect(files.ok ? '' : formatDiagnostic(files.diagnostic)).toBe(
    `${path}:1:1: holds more than 64 MiB (write fewer rules)`,
  );
});
