import { describe, expect, it } from 'vitest';
import { describePatternFault, parsePattern, patternMatches } from '../../src/policy/pattern.ts';
import { pattern } from './reference.ts';

describe('a host pattern', () => {
  it.each([
    ['*.a.com', 'x.a.com', true],
    ['*.a.com', 'a.com', false],
    ['*.a.com', 'x.y.a.com', false],
    ['**.a.com', 'x.a.com', true],
    ['**.a.com', 'x.y.a.com', true],
    ['**.a.com', 'a.com', false],
    ['**.a.com', 'xa.com', false],
    ['ecs-a-*.r.amazonaws.com', 'ecs-a-1.r.amazonaws.com', true],
    ['ecs-a-*.r.amazonaws.com', 'ecs-a-.r.amazonaws.com', false],
    ['team-*-logs.s3.amazonaws.com', 'team-a-b-logs.s3.amazonaws.com', true],
    ['team-*-logs.s3.amazonaws.com', 'team-logs.s3.amazonaws.com', false],
    ['team-*-logs.s3.amazonaws.com', 'team--logs.s3.amazonaws.com', false],
    ['a*b*c.com', 'axbxc.com', true],
    ['a*b*c.com', 'axbc.com', false],
    ['a*b*c.com', 'axbbbc.com', true],
    ['*a*.com', 'bab.com', true],
    ['*a*.com', 'ab.com', false],
    ['localhost', 'localhost', true],
    ['Api.Example.COM', 'api.example.com', true],
    ['bücher.example', 'xn--bcher-kva.example', true],
  ])('%s against %s: %s', (text, hostname, matches) => {
    expect(patternMatches(pattern(text), hostname)).toBe(matches);
  });

  it.each([
    ['', 'empty'],
    ['*', 'bare-wildcard'],
    ['**', 'bare-wildcard'],
    ['http://a.com', 'scheme'],
    ['a.com/x', 'path'],
    ['a.com:443', 'port'],
    ['a.com:', 'port'],
    ['10.0.0.1', 'name-ip-literal'],
    ['10.0.0.0/8', 'ip-address'],
    ['::1', 'ip-address'],
    ['[::1]:443', 'ip-address'],
    ['a.com.', 'trailing-dot'],
    ['.a.com', 'leading-dot'],
    ['a.**.com', 'deep-not-leading'],
    ['**.**.com', 'deep-not-leading'],
    ['a**.com', 'adjacent-stars'],
    ['**a.com', 'adjacent-stars'],
    ['***.com', 'adjacent-stars'],
    ['a..com', 'label-empty'],
    ['-*.com', 'label-hyphen'],
    ['bü*.com', 'glob-not-ascii'],
    ['a.１２７', 'name-byte'],
    ['a。b.com', 'name-byte'],
    [`${'a'.repeat(64)}.com`, 'label-too-long'],
  ])('%j is refused: %s', (text, fault) => {
    const parsed = parsePattern(text);
    expect(parsed).toEqual({ ok: false, fault });
    if (!parsed.ok) expect(describePatternFault(parsed.fault, text).fix).not.toBe('');
  });
});
