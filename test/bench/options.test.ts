import { describe, expect, it } from 'vitest';
import { UsageError } from '../../bench/arguments.ts';
import { readOptions } from '../../bench/options.ts';
import { PARTS } from '../../bench/parts.ts';

describe('the arguments of the bench', () => {
  it('mean every part in three rounds when there are none', () => {
    expect(readOptions([])).toEqual({
      extent: { isQuick: false, rounds: 3, rate: null, proxies: [] },
      parts: PARTS.map(({ name }) => name),
      save: false,
      help: false,
    });
  });

  it('choose parts, proxies, rounds and rate', () => {
    const options = readOptions([
      '--only',
      'short, bulk',
      '--proxies',
      'epoll,haproxy',
      '--rounds',
      '5',
      '--rate',
      '700',
    ]);
    expect(options.parts).toEqual(['short', 'bulk']);
    expect(options.extent).toEqual({ isQuick: false, rounds: 5, rate: 700, proxies: ['epoll', 'haproxy'] });
  });

  it.each([
    [['--only', 'shrot'], 'there is no part shrot; parts: short, variants'],
    [['--rounds', '0'], '--rounds takes a whole number from 1 on'],
    [['--rate', 'fast'], '--rate takes a whole number from 1 on'],
    [['--fast'], '--fast'],
    [['short'], 'short'],
  ])('%j are refused with what would be right', (argv, message) => {
    expect(() => readOptions(argv)).toThrow(UsageError);
    expect(() => readOptions(argv)).toThrow(message);
  });
});
