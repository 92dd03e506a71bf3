import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { fileWith, sallyport } from './support.ts';

const BROKEN = join(import.meta.dirname, '../config/broken');
const broken = readdirSync(BROKEN).filter(name => name.endsWith('.yaml'));
const SHIPPED = fileURLToPath(new URL('../../config', import.meta.url));

describe('check', () => {
  it('takes the shipped files, of both kinds', async () => {
    const files = [join(SHIPPED, 'policy.yaml'), join(SHIPPED, 'sallyport.yaml')];
    const { code, out, err } = await sallyport(['check', ...files]);
    expect([code, err]).toEqual([0, '']);
    expect(out).toBe(`${files[0]}: ok (policy)\n${files[1]}: ok (daemon)\n`);
  });

  it('without files takes the default configuration and the policy it names', async () => {
    const { code, out } = await sallyport(['check']);
    expect(code).toBe(0);
    expect(out.split('\n').map(line => line.split('/').at(-1))).toEqual([
      'sallyport.yaml: ok (daemon)',
      'policy.yaml: ok (policy)',
      '',
    ]);
  });

  it('does not fail on a warning, but says it', async () => {
    const file = fileWith('version: 1\nmode: enforce\nobserveUntil: 2026-01-01\nrules: []\n');
    const { code, out, err } = await sallyport(['check', file]);
    expect([code, out]).toEqual([0, `${file}: ok (policy)\n`]);
    expect(err).toMatch(/policy\.yaml:3:15: warning: observeUntil: .* \(.*\)\n$/);
  });

  it('there are enough broken files to check', () => {
    expect(broken.length).toBeGreaterThanOrEqual(10);
  });

  it.each(broken)('fails on %s: each diagnostic names file, line, column and a fix', async name => {
    const file = join(BROKEN, name);
    const { code, out, err } = await sallyport(['check', file]);
    expect([code, out]).toEqual([1, `${file}: not ok\n`]);
    const lines = err.trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) {
      expect(line.startsWith(`${file}:`)).toBe(true);
      expect(line.slice(file.length)).toMatch(/^:[1-9]\d*:[1-9]\d*: .+ \(.+\)$/);
    }
  });

  it('fails when one of several files is broken, and checks them all', async () => {
    const good = fileWith('version: 1\nrules: []\n');
    const { code, out } = await sallyport(['check', good, join(BROKEN, 'policy-types.yaml'), good]);
    expect(code).toBe(1);
    expect(out.split('\n').filter(line => line.endsWith('ok (policy)'))).toHaveLength(2);
  });

  it('fails on a file that is not there, with what to do', async () => {
    const { code, err } = await sallyport(['check', '/nowhere.yaml']);
    expect([code, err]).toEqual([1, '/nowhere.yaml:1:1: does not exist (check the path)\n']);
  });

  it('prints JSON when asked for it, and nothing else', async () => {
    const file = join(BROKEN, 'policy-no-rules.yaml');
    const { code, out, err } = await sallyport(['check', '--json', file]);
    expect([code, err]).toEqual([1, '']);
    expect(JSON.parse(out)).toMatchObject([
      { file, kind: 'policy', ok: false, diagnostics: [{ file, line: 3, col: 7, severity: 'error' }] },
    ]);
  });

  it('lets no control character of a file reach the terminal', async () => {
    const file = fileWith('version: 1\nrules: [{ name: a, hosts: ["\\e[2Jevil\\nok (policy)"] }]\n');
    const { err } = await sallyport(['check', file]);
    expect(
      err
        .trimEnd()
        .split('\n')
        .every(line => line.startsWith(file)),
    ).toBe(true);
    expect(err).not.toContain('\u001b');
  });
});
