import { describe, expect, it } from 'vitest';
import { median, quantile } from '../../bench/measure/statistics.ts';
import { type Cell, figure, formatSection } from '../../bench/report/section.ts';

describe('statistics', () => {
  it.each([
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[7], 7],
    [[], Number.NaN],
  ])('the median of %j is %d', (values, expected) => {
    expect(median(values)).toBe(expected);
  });

  it('a quantile is one of the values, the last one at most', () => {
    const values = Float64Array.from({ length: 1_000 }, (_, i) => i);
    expect(quantile(values, 0.5)).toBe(500);
    expect(quantile(values, 0.999)).toBe(999);
    expect(quantile(values, 1)).toBe(999);
  });
});

describe('a section of the report', () => {
  const row = (...cells: Cell[]) =>
    formatSection({
      title: 'Title',
      text: 'Text.',
      tables: [{ caption: 'Caption.', head: ['', 'a'], rows: [['name', ...cells]] }],
    });

  it('is markdown', () => {
    expect(row('x')).toBe('## Title\n\nText.\n\nCaption.\n\n|  | a |\n| --- | ---: |\n| name | x |\n');
  });

  it.each([
    [[3, 1, 2], '| name | 2.0 (1.0–3.0) |'],
    [[1.26], '| name | 1.3 |'],
    [[], '| name | – |'],
    [[1, Number.NaN], '| name | – |'],
  ])('shows the figures %j as %s', (values, expected) => {
    expect(row(figure(values, 1))).toContain(expected);
  });

  it('shows figures that were kept as JSON in the same way', () => {
    const kept = JSON.parse(JSON.stringify(figure([1, Number.NaN], 1)));
    expect(row(kept)).toContain('| name | – |');
  });
});
