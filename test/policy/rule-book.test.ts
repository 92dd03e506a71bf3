import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePolicy } from '../../src/policy/compile.ts';
import { Policy } from '../../src/policy/policy.ts';
import { RuleBook } from '../../src/policy/rule-book.ts';
import type { ParsedPolicy } from '../../src/policy/rules.ts';
import { SourceGroups } from '../../src/policy/source-groups.ts';
import { policies, query } from './arbitrary-policy.ts';
import { holds, policyOf, rule } from './reference.ts';

const bookOf = (policy: ParsedPolicy) => new RuleBook(Policy.from(compilePolicy(policy)));

describe('the rule book of a compiled policy', () => {
  it('says of each rule what the policy says', () => {
    fc.assert(
      fc.property(policies, query, (parsed, { source, vpcEndpoint }) => {
        const book = bookOf(parsed);
        expect(book.ruleCount).toBe(parsed.rules.length);
        for (const [i, rule] of parsed.rules.entries()) {
          expect(book.name(i)).toBe(rule.name);
          expect(book.ruleNamed(rule.name)).toBe(i);
          expect(book.action(i)).toBe(rule.action);
          expect(book.location(i)).toEqual(rule.location);
          expect(book.hosts(i)).toEqual(
            rule.hosts.map((pattern, host) => ({
              pattern,
              location: { ...rule.location, ...rule.hostPositions[host] },
            })),
          );
          expect(book.ports(i)).toEqual(rule.ports);
          expect(book.untilMs(i)).toBe(rule.untilMs ?? Infinity);
          expect(book.from(i).split(', ').sort()).toEqual(
            rule.from.length === 0 ? [''] : rule.from.map(({ text }) => text).sort(),
          );
          expect(book.isFor(i, source, vpcEndpoint)).toBe(
            rule.from.length === 0 || rule.from.some(item => holds(item, source, vpcEndpoint)),
          );
        }
        expect(book.groups()).toEqual(
          parsed.sources.map(({ name, cidrs, vpcEndpoints }) => ({ name, cidrs, vpcEndpoints })),
        );
        const groups = parsed.sources.filter(group => holds(group, source, vpcEndpoint));
        expect(book.groupsOf(source, vpcEndpoint)).toEqual(groups.map(({ name }) => name));
        expect(new SourceGroups(book.groups()).of(source, vpcEndpoint)).toEqual(
          book.groupsOf(source, vpcEndpoint),
        );
      }),
      { numRuns: 200 },
    );
  });

  it('finds no rule by a name that none has', () => {
    const book = bookOf(policyOf([rule('a', ['a.com']), rule('b', ['b.com'])]));
    expect(['a', 'b', 'c', ''].map(name => book.ruleNamed(name))).toEqual([0, 1, -1, -1]);
    expect(bookOf(policyOf([])).ruleNamed('a')).toBe(-1);
  });

  it('tells rules of several files apart, whatever the files are called', () => {
    const at = (file: string) => ({ location: { file, line: 7, col: 3 } });
    const book = bookOf(
      policyOf([
        rule('a', ['a.com'], at('politik/zürich ☃.yaml')),
        rule('b', ['b.com'], at('b.yaml')),
        rule('c', ['c.com'], at('politik/zürich ☃.yaml')),
      ]),
    );
    expect([0, 1, 2].map(i => book.location(i).file)).toEqual([
      'politik/zürich ☃.yaml',
      'b.yaml',
      'politik/zürich ☃.yaml',
    ]);
    expect(book.hosts(0)[0]?.location).toEqual({ file: 'politik/zürich ☃.yaml', line: 3, col: 9 });
  });
});
