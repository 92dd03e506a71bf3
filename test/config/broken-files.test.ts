import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Diagnostic, formatDiagnostic } from '../../src/config/diagnostics.ts';
import { loadAny } from '../../src/config/load.ts';

const DIRECTORY = join(import.meta.dirname, 'broken');
const NOW_MS = Date.parse('2026-06-01T00:00:00Z');
const files = readdirSync(DIRECTORY).filter(name => name.endsWith('.yaml'));

describe('a broken file is refused with its diagnostics', () => {
  it.each(files)('%s', async name => {
    const { load } = await loadAny(join(DIRECTORY, name), NOW_MS);
    const diagnostics = load.ok ? [] : load.diagnostics;
    const text = diagnostics.map(d => `${formatDiagnostic(withBareName(d))}\n`).join('');
    await expect(text).toMatchFileSnapshot(join(DIRECTORY, name.replace('.yaml', '.expected')));
  });

  it.each(files)('%s: each diagnostic has a place in the file and a fix', async name => {
    const { load } = await loadAny(join(DIRECTORY, name), NOW_MS);
    const lines = (await readFile(join(DIRECTORY, name), 'utf8')).split('\n');
    expect(load.ok).toBe(false);
    for (const { line, col, message, fix } of load.ok ? [] : load.diagnostics) {
      expect(lines[line - 1]?.length).toBeGreaterThanOrEqual(col - 1);
      expect(message).toMatch(/^[^A-Z].*[^.]$/);
      expect(fix).not.toBe('');
      expect(fix).toBeDefined();
    }
  });
});

function withBareName(diagnostic: Diagnostic): Diagnostic {
  const message = diagnostic.message.replaceAll(`${DIRECTORY}/`, '');
  return { ...diagnostic, file: basename(diagnostic.file), message };
}
