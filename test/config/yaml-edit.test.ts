import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { unifiedDiff } from '../../src/config/line-diff.ts';
import { editYaml } from '../../src/config/yaml-edit.ts';
import type { YamlEdit } from '../../src/config/yaml-splices.ts';
import { type WrittenPolicy, writtenPolicies } from './policy-texts.ts';

const RUNS = { numRuns: 400 };

const valuesIn = (text: string): unknown => parse(text.replace(/^\uFEFF/, ''));

function edited(text: string, ...edits: YamlEdit[]): string {
  const result = editYaml(text, edits);
  // Small texts are edited as large ones are, too.
  expect(editYaml(text, edits, 0)).toEqual(result);
  if (!result.ok) throw new Error(`${result.line}:${result.col}: ${result.message}\n${text}`);
  return result.text;
}

/** What `longer` has more than `shorter`, when that is one piece; null when they differ in another way. */
function onePieceMore(shorter: string, longer: string): string | null {
  let head = 0;
  while (head < shorter.length && shorter[head] === longer[head]) head++;
  const tail = shorter.length - head;
  return longer.endsWith(shorter.slice(head)) ? longer.slice(head, longer.length - tail) : null;
}

/** Whether all of `part` stands in `whole`, in order, with something between. */
function isWithin(part: string, whole: string): boolean {
  let at = 0;
  for (const char of whole) if (char === part[at]) at++;
  return at === part.length;
}

interface Rule {
  readonly name: string;
  readonly hosts: readonly string[];
}

const rulesOf = ({ value }: WrittenPolicy): readonly Rule[] => value.rules as readonly Rule[];
const added: Rule = { name: 'added', hosts: ['x.example', '*.y.example'] };

describe('the policies these tests edit', () => {
  it('say what their values are', () => {
    fc.assert(
      fc.property(writtenPolicies, ({ text, value }) => {
        expect(valuesIn(text)).toEqual(value);
      }),
      RUNS,
    );
  });
});

describe('editYaml changes the lines it has to, and not a byte elsewhere:', () => {
  it('a key gets another value', () => {
    fc.assert(
      fc.property(writtenPolicies, ({ text, value }) => {
        fc.pre(value.mode !== undefined);
        const after = edited(text, { kind: 'set', path: ['mode'], value: 'enforce!' });
        expect(valuesIn(after)).toEqual({ ...value, mode: 'enforce!' });
        // The same bytes but for this one word, however it was quoted.
        const { removed, added } = unifiedDiff('f', text, after);
        expect([removed, added]).toEqual([1, 1]);
        const places = [...text.matchAll(/(["']?)(?:observe|enforce)\1/g)];
        expect(
          places.some(({ index, 0: old }) =>
            ['enforce!', '"enforce!"', "'enforce!'"].some(
              now => text.slice(0, index) + now + text.slice(index + old.length) === after,
            ),
          ),
        ).toBe(true);
      }),
      RUNS,
    );
  });

  it('a key is added behind another', () => {
    fc.assert(
      fc.property(writtenPolicies, ({ text, value }) => {
        fc.pre(value.observeUntil === undefined);
        const after = edited(text, {
          kind: 'set',
          path: ['observeUntil'],
          value: '2027-01-31',
          after: 'version',
        });
        expect(valuesIn(after)).toEqual({ ...value, observeUntil: '2027-01-31' });
        expect(onePieceMore(text, after)?.replace(/[\s,]/g, '')).toBe('observeUntil:2027-01-31');
        expect(after.includes('\r')).toBe(text.includes('\r'));
      }),
      RUNS,
    );
  });

  it('a key is added to a map within', () => {
    fc.assert(
      fc.property(writtenPolicies, ({ text, value }) => {
        const after = edited(text, { kind: 'set', path: ['sources', 'build', 'mode'], value: 'observe' });
        const build = { cidrs: ['10.1.0.0/16'], mode: 'observe' };
        const sources = Object.assign({}, value.sources, { build });
        expect(valuesIn(after)).toEqual({ ...value, sources });
        expect(onePieceMore(text, after)).toHaveLength(after.length - text.length);
      }),
      RUNS,
    );
  });

  it('a key is taken out', () => {
    fc.assert(
      fc.property(writtenPolicies, ({ text, value }) => {
        const after = edited(text, { kind: 'unset', path: ['observeUntil'] });
        const { observeUntil, ...rest } = value;
        expect(valuesIn(after)).toEqual(rest);
        if (observeUntil === undefined) {
          expect(after).toBe(text);
          return;
        }
        expect(onePieceMore(after, text)).toContain('observeUntil');
        expect(unifiedDiff('f', text, after).removed).toBe(1);
      }),
      RUNS,
    );
  });

  it('a rule is added, to a list or to an empty one', () => {
    fc.assert(
      fc.property(writtenPolicies, policy => {
        const { text, value } = policy;
        const after = edited(text, { kind: 'append', path: ['rules'], values: [{ ...added }] });
        expect(valuesIn(after)).toEqual({ ...value, rules: [...rulesOf(policy), added] });
        if (rulesOf(policy).length === 0) expect(isWithin(text.replace(/ *\[ ?\]/, ''), after)).toBe(true);
        else expect(onePieceMore(text, after)).toContain('added');
        expect(after.split('\r\n').length).toBe(text.includes('\r') ? after.split('\n').length : 1);
      }),
      RUNS,
    );
  });

  it('hosts are added to a rule', () => {
    fc.assert(
      fc.property(writtenPolicies, fc.nat(3), (policy, pick) => {
        const rules = rulesOf(policy);
        fc.pre(rules.length > 0);
        const index = pick % rules.length;
        const values = ['x.example', '**.y.example'];
        const after = edited(policy.text, { kind: 'append', path: ['rules', index, 'hosts'], values });
        const expected = rules.map((rule, i) =>
          i === index ? { ...rule, hosts: [...rule.hosts, ...values] } : rule,
        );
        expect(valuesIn(after)).toEqual({ ...policy.value, rules: expected });
        expect(isWithin(policy.text, after)).toBe(true);
        expect(unifiedDiff('f', policy.text, after).removed).toBeLessThanOrEqual(1);
      }),
      RUNS,
    );
  });

  it('hosts are taken out of a rule', () => {
    fc.assert(
      fc.property(
        writtenPolicies,
        fc.nat(3),
        fc.uniqueArray(fc.nat(3), { minLength: 1 }),
        (policy, pick, drawn) => {
          const rules = rulesOf(policy);
          const index = rules.length === 0 ? 0 : pick % rules.length;
          const hosts = rules[index]?.hosts ?? [];
          const indices = drawn.filter(i => i < hosts.length);
          fc.pre(indices.length > 0 && indices.length < hosts.length);
          const after = edited(policy.text, {
            kind: 'removeItems',
            path: ['rules', index, 'hosts'],
            indices,
          });
          const kept = hosts.filter((_, i) => !indices.includes(i));
          const expected = rules.map((rule, i) => (i === index ? { ...rule, hosts: kept } : rule));
          expect(valuesIn(after)).toEqual({ ...policy.value, rules: expected });
          expect(isWithin(after, policy.text)).toBe(true);
          const { removed, added: put } = unifiedDiff('f', policy.text, after);
          expect([removed <= indices.length, put <= 1]).toEqual([true, true]);
        },
      ),
      RUNS,
    );
  });

  it('rules are taken out, the last one too', () => {
    fc.assert(
      fc.property(writtenPolicies, fc.uniqueArray(fc.nat(3), { minLength: 1 }), (policy, drawn) => {
        const rules = rulesOf(policy);
        const indices = drawn.filter(i => i < rules.length);
        fc.pre(indices.length > 0);
        const after = edited(policy.text, { kind: 'removeItems', path: ['rules'], indices });
        expect(valuesIn(after)).toEqual({
          ...policy.value,
          rules: rules.filter((_, i) => !indices.includes(i)),
        });
        expect(isWithin(after.replace(' []', ''), policy.text)).toBe(true);
      }),
      RUNS,
    );
  });
});

describe('editYaml writes as the text around it is written:', () => {
  it.each<[string, string, YamlEdit, string]>([
    [
      'in quotes where there were some',
      "mode: 'observe' # why\n",
      { kind: 'set', path: ['mode'], value: 'enforce' },
      "mode: 'enforce' # why\n",
    ],
    [
      'behind the anchor and the tag of a value',
      'mode: &mode !!str observe\n',
      { kind: 'set', path: ['mode'], value: 'enforce' },
      'mode: &mode !!str enforce\n',
    ],
    [
      'in place of an alias',
      'a: &a observe\nmode: *a\n',
      { kind: 'set', path: ['mode'], value: 'enforce' },
      'a: &a observe\nmode: enforce\n',
    ],
    [
      'with a blank line between rules that have one',
      'rules:\n  - name: a\n\n  # about b\n  - name: b\n  # end\n',
      { kind: 'append', path: ['rules'], values: [{ name: 'c', hosts: ['*'], ports: [1, 2] }] },
      'rules:\n  - name: a\n\n  # about b\n  - name: b\n\n  - name: c\n    hosts:\n      - "*"\n    ports: [1, 2]\n  # end\n',
    ],
    [
      'a line each in brackets over lines, with a comma where there was none',
      'hosts: [\n  a, # one\n  b # two\n]\n',
      { kind: 'append', path: ['hosts'], values: ['c', 'd'] },
      'hosts: [\n  a, # one\n  b, # two\n  c,\n  d\n]\n',
    ],
    [
      'behind the last item where the bracket closes on its line',
      'hosts: [\n  a,\n  b ]\n',
      { kind: 'append', path: ['hosts'], values: ['c'] },
      'hosts: [\n  a,\n  b, c ]\n',
    ],
    [
      'before the end marker of the document',
      'hosts:\n- a\n...\n',
      { kind: 'append', path: ['hosts'], values: ['b'] },
      'hosts:\n- a\n- b\n...\n',
    ],
    [
      'in quotes what YAML would read as something else',
      'hosts: [a]\n',
      { kind: 'append', path: ['hosts'], values: ['true', '1.5', 'null', '~', 'a: b', 'x:', '{r}.a', '-'] },
      'hosts: [a, "true", "1.5", "null", "~", "a: b", "x:", "{r}.a", "-"]\n',
    ],
    [
      'a block list where an empty one was, before its comment',
      'rules: [ ] # none\nmode: enforce\n',
      { kind: 'append', path: ['rules'], values: [{ name: 'a' }] },
      'rules: # none\n  - name: a\nmode: enforce\n',
    ],
    [
      'an empty list where all items went',
      'rules:  # all\n  - a\n  # kept\n  - b\n',
      { kind: 'removeItems', path: ['rules'], indices: [0, 1] },
      'rules: []  # all\n  # kept\n',
    ],
    [
      'without the comment of an item, with those around it',
      'hosts:\n  # about a\n  - a # one\n  # about b\n  - b # two\n',
      { kind: 'removeItems', path: ['hosts'], indices: [0] },
      'hosts:\n  # about a\n  # about b\n  - b # two\n',
    ],
  ])('%s', (_, before, edit, after) => {
    expect(edited(before, edit)).toBe(after);
  });
});

describe('editYaml refuses, and says where to look,', () => {
  it.each<[string, string, YamlEdit, string]>([
    [
      'a value that others share',
      'a: 1\nmode: &m observe\nb: *m\n',
      { kind: 'set', path: ['mode'], value: 'enforce' },
      '2:1: changing mode here would change something else as well',
    ],
    [
      'a list that others share',
      'a: &l [x]\nb: *l\n',
      { kind: 'append', path: ['a'], values: ['y'] },
      '1:1: changing a here would change something else as well',
    ],
    [
      'a list that is an alias',
      'a: &l [x]\nb: *l\n',
      { kind: 'append', path: ['b'], values: ['y'] },
      '2:4: b is an alias',
    ],
    [
      'a value in a block text',
      'mode: |-\n  observe\n',
      { kind: 'set', path: ['mode'], value: 'enforce' },
      '1:7: mode is no text on one line',
    ],
    [
      'an item behind an anchor',
      'hosts: [&a x, y]\n',
      { kind: 'removeItems', path: ['hosts'], indices: [0] },
      '1:12: an anchor or a tag stands before it',
    ],
    [
      'an item with a comment before the next',
      'hosts: [x, # why\n  y, z]\n',
      { kind: 'removeItems', path: ['hosts'], indices: [0] },
      '1:9: hosts: a comment stands in the way',
    ],
    [
      'an empty list with a comment in it',
      'rules: [ # none\n]\n',
      { kind: 'append', path: ['rules'], values: ['x'] },
      '1:8: rules holds a comment and nothing else',
    ],
    [
      'a list that is none',
      'rules: x\n',
      { kind: 'append', path: ['rules'], values: ['x'] },
      '1:8: rules is no list',
    ],
    ['a map that is none', 'a: x\n', { kind: 'set', path: ['a', 'b'], value: 'x' }, '1:4: a is no map'],
    ['a key that is all there is', 'a: x\n', { kind: 'unset', path: ['a'] }, '1:1: a is all there is'],
    [
      'a key that is no plain one',
      '? a\n: x\n? b\n: y\n',
      { kind: 'unset', path: ['a'] },
      '1:3: a does not begin its line',
    ],
    [
      'what would be no YAML any more',
      'a:\n  - b\n  # note\n  - c\n\t',
      { kind: 'removeItems', path: ['a'], indices: [1] },
      '1:1: changing a here would leave no YAML',
    ],
    ['what is no YAML', 'a: [\n', { kind: 'unset', path: ['a'] }, '1:1: is no YAML that can be edited'],
  ])('%s', (_, text, edit, why) => {
    const result = editYaml(text, [edit]);
    expect(result.ok ? result.text : `${result.line}:${result.col}: ${result.message}`).toBe(why);
  });
});
