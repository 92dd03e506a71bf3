import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = new URL('../../', import.meta.url);
const text = readFileSync(new URL('SECURITY.md', ROOT), 'utf8');
const promises = text
  .slice(text.indexOf('## Where it can be attacked'), text.indexOf('## What it does not promise'))
  .split('\n')
  .filter(line => line.startsWith('| ') && !line.startsWith('| promise'));

describe('the threat model', () => {
  it.each(promises)('%s', promise => {
    const tests = promise.match(/`test\/[\w./-]+`/g) ?? [];
    expect(tests.length).toBeGreaterThan(0);
    const missing = tests
      .map(path => path.slice(1, -1))
      .filter(path => !existsSync(fileURLToPath(new URL(path, ROOT))));
    expect(missing).toEqual([]);
  });

  it('makes promises in every place where it can be attacked', () => {
    expect(promises.length).toBeGreaterThan(25);
  });
});
