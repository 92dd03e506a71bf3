import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitRules } from '../../src/config/yaml-chunks.ts';
import { readYaml } from '../../src/config/yaml-source.ts';

const WHOLE = false;
const PARTS = true;

/** Lines that make up policies, and lines that make trouble: reading in parts must mean what YAML means. */
const line = fc.constantFrom(
  'version: 1',
  'rules:',
  'rules: # all',
  'rules: []',
  '  - name: a',
  '  - name: b',
  '- name: c',
  '    hosts: [a.com]',
  '    hosts:',
  '      - a.com',
  '      - "b',
  '        c"',
  '  hosts: [x,',
  '    y]',
  '  - |',
  '    - text',
  '  - >-',
  '',
  '  # comment',
  '# comment',
  '    x: &anchor 1',
  '    y: *anchor',
  '  -',
  '   - name: d',
  '---',
  '...',
  'mode: observe',
  '\t- name: t',
  '    z: "',
  '- "',
  "  - '",
  '  - {',
  '  - }',
  '%TAG',
  'rules:\r',
  '  - name: e\r',
);
const text = fc.array(line, { minLength: 1, maxLength: 14 }).map(lines => `${lines.join('\n')}\n`);
const policyText = fc
  .array(line, { maxLength: 10 })
  .map(lines => `version: 1\nrules:\n  - name: first\n${lines.join('\n')}\n`);

describe('a text read in parts', () => {
  it('means what the whole text means', () => {
    let inParts = 0;
    fc.assert(
      fc.property(fc.oneof(text, policyText), source => {
        const whole = readYaml(source, WHOLE);
        const parts = readYaml(source, PARTS);
        expect(parts.ok).toBe(whole.ok);
        if (!parts.ok || !whole.ok) {
          expect(parts).toEqual(whole);
          return;
        }
        if (splitRules(source) !== null) inParts++;
        expect(parts.source.value).toEqual(whole.source.value);
        expect(parts.source.rules).toEqual(whole.source.rules);
      }),
      { numRuns: 2000 },
    );
    expect(inParts).toBeGreaterThan(50);
  });

  it('knows the same places', () => {
    const rules = Array.from(
      { length: 250 },
      (_, i) => `  - name: r${i}\n    hosts:\n      - a${i}.com\n      - b.com\n`,
    );
    const source = `version: 1\n# rules\nrules:\n${rules.join('\n')}mode: observe\n`;
    const [whole, parts] = [readYaml(source, WHOLE), readYaml(source, PARTS)];
    if (!whole.ok || !parts.ok) throw new Error('must parse');
    expect(parts.source.rules).toEqual(whole.source.rules);
    for (const path of [
      ['mode'],
      ['version'],
      ['rules', 0],
      ['rules', 99, 'name'],
      ['rules', 100, 'hosts', 1],
      ['rules', 249, 'hosts'],
    ]) {
      expect(parts.source.locate(path)).toEqual(whole.source.locate(path));
      expect(parts.source.locate(path, 'key')).toEqual(whole.source.locate(path, 'key'));
    }
  });
});
