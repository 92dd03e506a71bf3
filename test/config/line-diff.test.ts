import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unifiedDiff } from '../../src/config/line-diff.ts';

/** What `patch` makes of a text with a diff, by the rules of the format. */
function patched(before: string, diff: string): string {
  const lines = before.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  let result = '';
  let at = 0;
  const body = diff.split('\n').slice(2, -1);
  for (const [i, line] of body.entries()) {
    const hunk = /^@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@$/.exec(line);
    if (hunk !== null) {
      const start = Number(hunk[1]) - (hunk[2] === '0' ? 0 : 1);
      while (at < start) result += lines[at++];
      continue;
    }
    if (line.startsWith('\\')) continue;
    const text = `${line.slice(1)}${body[i + 1]?.startsWith('\\') ? '' : '\n'}`;
    if (line[0] !== '+') expect(text).toBe(lines[at++]);
    if (line[0] !== '-') result += text;
  }
  return result + lines.slice(at).join('');
}

const text = fc
  .tuple(
    fc.array(fc.constantFrom('a', 'b', 'c', '', 'd e', '+x', '-y'), { maxLength: 30 }),
    fc.constantFrom('\n', '\r\n'),
    fc.boolean(),
  )
  .map(([lines, eol, ends]) => lines.join(eol) + (ends ? eol : ''));

describe('unifiedDiff', () => {
  it('is empty for equal texts', () => {
    fc.assert(
      fc.property(text, same => {
        expect(unifiedDiff('f', same, same)).toEqual({ text: '', added: 0, removed: 0 });
      }),
    );
  });

  it('leads from the one text to the other', () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        const { text: diff } = unifiedDiff('f', before, after);
        expect(diff === '' ? before : patched(before, diff)).toBe(after);
      }),
      { numRuns: 1_000 },
    );
  });

  it('says no more than needed', () => {
    const lines = Array.from({ length: 100 }, (_, i) => `line ${i}\n`);
    const before = lines.join('');
    const after = before.replace('line 10\n', 'ten\n').replace('line 80\n', 'line 80\nmore\n');
    expect(unifiedDiff('policy.yaml', before, after)).toEqual({
      added: 2,
      removed: 1,
      text: [
        '--- policy.yaml',
        '+++ policy.yaml',
        '@@ -8,7 +8,7 @@',
        ' line 7',
        ' line 8',
        ' line 9',
        '-line 10',
        '+ten',
        ' line 11',
        ' line 12',
        ' line 13',
        '@@ -79,6 +79,7 @@',
        ' line 78',
        ' line 79',
        ' line 80',
        '+more',
        ' line 81',
        ' line 82',
        ' line 83',
        '',
      ].join('\n'),
    });
  });

  it('shows texts that have nothing in common as replaced, in bounded time', () => {
    const before = Array.from({ length: 50_000 }, (_, i) => `a${i}\n`).join('');
    const after = Array.from({ length: 50_000 }, (_, i) => `b${i}\n`).join('');
    const { added, removed } = unifiedDiff('f', before, after);
    expect([added, removed]).toEqual([50_000, 50_000]);
  });
});
