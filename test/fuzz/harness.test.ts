import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { helpText, readOptions } from './options.ts';
import { property } from './property.ts';
import { replayRows } from './replay.ts';
import { toMarkdown } from './report.ts';
import { runTarget } from './run-target.ts';
import type { Target } from './target.ts';

/** Fails for numbers from 1 000 on; says nothing of even ones. */
const faulty: Target = {
  name: 'faulty',
  summary: 'a target with a planted fault',
  shortRuns: 1,
  open: async () => ({
    properties: [
      property('a number is small', fc.nat(1_000_000), number => {
        if (number >= 1_000) throw new Error(`${number} is not small`);
        return number % 2 === 0 ? 'vacuous' : undefined;
      }),
    ],
    missing: ['the other program is not installed'],
  }),
};
const extent = { seed: 7, seconds: Number.POSITIVE_INFINITY, runs: 2_000 };

describe('a fault', () => {
  it('is found once, by its smallest input, and again by the seed that it names', async () => {
    const { findings, properties } = await runTarget(faulty, extent);
    expect(findings).toMatchObject([
      { property: 'a number is small', input: '1000', message: '1000 is not small' },
    ]);
    expect(properties[0]?.executions).toBeGreaterThan(0);
    const again = await runTarget(faulty, { ...extent, seed: findings[0]?.seed ?? 0, runs: 1_000 });
    expect(again.findings).toHaveLength(1);
  });

  it('is reported with a row that fails when it is replayed', async () => {
    const report = await runTarget(faulty, extent);
    const text = toMarkdown({ seed: 7, node: 'v0', targets: [report] });
    expect(text).toContain('it does not hold that a number is small');
    expect(text).toContain('the other program is not installed');
    const row = text.split('\n').find(line => line.includes('"target":"faulty"')) ?? '{}';
    const { target, property: name, input } = JSON.parse(row);
    const told: (string | null)[] = [];
    const rows = [input, 999].map(value => ({ target, property: name, input: String(value), was: '' }));
    await replayRows(rows, [faulty], (_, failure) => told.push(failure));
    expect(told).toEqual(['1000 is not small', null]);
  });

  it('is not hidden by a row of a target or property that is gone', async () => {
    const told: (string | null)[] = [];
    const rows = [
      { target: 'faulty', property: 'gone', input: '1', was: '' },
      { target: 'gone', property: 'gone', input: '1', was: '' },
    ];
    await replayRows(rows, [faulty], (_, failure) => told.push(failure));
    expect(told).toEqual(['there is no such property', 'there is no such target']);
  });
});

describe('the options', () => {
  it('are a minute for every target by default', () => {
    const { targets, extent: read, report, replay } = readOptions([], [faulty]);
    expect([targets, read.seconds, read.runs, report, replay]).toEqual([
      [faulty],
      60,
      Number.POSITIVE_INFINITY,
      null,
      null,
    ]);
  });

  it('bound by runs where runs are asked for', () => {
    const { extent: read } = readOptions(['faulty', '--runs', '5', '--seed', '0'], [faulty]);
    expect(read).toEqual({ seed: 0, seconds: Number.POSITIVE_INFINITY, runs: 5 });
  });

  it.each<[string[], RegExp]>([
    [['nope'], /there is no target nope; targets: faulty/],
    [['--runs', '0'], /--runs takes a whole number from 1/],
    [['--seed', '-1'], /--seed/],
    [['--seconds', '5', '--runs', '5'], /exclude each other/],
    [['--sconds', '5'], /--sconds/],
  ])('%j are refused', (argv, message) => {
    expect(() => readOptions(argv, [faulty])).toThrow(message);
  });

  it('are explained, with what is not done', () => {
    expect(helpText([faulty])).toMatch(/a target with a planted fault[\s\S]*It does not prove/);
  });
});
