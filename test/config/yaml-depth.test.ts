import { describe, expect, it } from 'vitest';
import { nestsTooDeeply } from '../../src/config/yaml-depth.ts';

describe('nesting', () => {
  it.each<[string, string, boolean]>([
    ['of brackets', `${'['.repeat(101)}${']'.repeat(101)}`, true],
    ['of braces', '{a: '.repeat(2_000), true],
    ['of dashes on one line', '- '.repeat(2_000), true],
    ['by indentation', `${' '.repeat(1_002)}a`, true],
    ['that a policy has', 'rules:\n  - { name: a, hosts: [a.example, "*.b.example"] }\n', false],
    ['of closed brackets', '[a],'.repeat(10_000), false],
    ['of brackets left open in comments', '# see [1\nkey: value\n'.repeat(10_000), false],
    ['in nothing', '', false],
  ])('%s', (_, text, expected) => {
    expect(nestsTooDeeply(text)).toBe(expected);
  });
});
