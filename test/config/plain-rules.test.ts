import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readPlainRules } from '../../src/config/plain-rules.ts';
import { parseRules } from '../../src/config/yaml-source.ts';

const read = (text: string) => readPlainRules(text, 0, text.length);
const parse = (text: string) => parseRules(text, 0, text.length);

const PLAIN = [
  '- name: a\n  hosts: [a.com]\n',
  '- { name: a, hosts: [a.com, "*.b.com", \'**.c.com\'], ports: [443, 8443], allowPrivate: true }\n',
  '  - name: a # the first, für Zürich\n    hosts:   # many\n      - a.com\n      - "*.b.com"   # quoted\n    action: deny\n',
  '- name: a\n  hosts:\n  - a.com\n  - b.com\n\n# between\n  ports: [0, 65535]\n\n- name: b\n  presets: [ecr, docker-hub]\n',
  '  - name: s\n    s3: { buckets: [app, "team-*-logs"], regions: [us-east-1] }\n    from: [build, 10.40.0.0/16, 2001:db8::/32]\n',
  '-   name: wide\n    until: 2027-01-31\n    hosts: [ 1password.com , 3com.com ]\n    acceptPublicSuffix: false',
  '- name: t\n  until: 2027-01-31T00:00:00Z\n  hosts: []\n  mixed: [[a, 1], { b: [2] }]\n',
  '- {name: tight,hosts: [a.com,b.com]}\n   \n  # nothing more\n',
];

const NOT_PLAIN = [
  '- name: yes and no\n',
  '- name: ~\n',
  '- name: null\n',
  '- name: True\n',
  '- name: 007\n',
  '- name: 1.5\n',
  '- name: 1e3\n',
  '- name: 0x10\n',
  '- name: a\n  name: b\n',
  '- name: "a\\n"\n',
  "- name: 'it''s'\n",
  '- name: "zürich"\n',
  '- name: a\n    more\n',
  '- name: *alias\n',
  '- name: !!str a\n',
  '- name: |\n    a\n',
  '- name: a\r\n',
  '- name:\ta\n',
  '- name: [a\n  , b]\n',
  '- name: [a, ]\n',
  '- { name: a }: b\n',
  '- "name": a\n',
  '- __proto__: a\n',
  '- name: a:\n',
  '- name: a#b\n',
  '- null: a\n',
  '- 3s: a\n',
  '- a\n',
  '',
  '# nothing\n',
  '-\n  name: a\n',
  ' - name: a\n- name: b\n',
  '- name:\n- name: b\n',
  '- name: {a:1}\n',
  'name: a\n',
  `- ${'k'.repeat(65)}: a\n`,
  `- name: ${'['.repeat(50)}${']'.repeat(50)}\n`,
];

describe('plainly written rules', () => {
  it.each(PLAIN)('are read without the parser, and mean the same: %j', text => {
    expect(read(text)).not.toBeNull();
    expect(read(text)).toEqual(parse(text));
  });

  it.each(NOT_PLAIN)('are no such: %j', text => {
    expect(read(text)).toBeNull();
  });

  it('are read from where they begin to where they end', () => {
    const text = `rules:\n${PLAIN[0]}- name: later\n`;
    expect(readPlainRules(text, 7, text.indexOf('- name: later'))).toEqual({
      values: [{ name: 'a', hosts: ['a.com'] }],
      places: [{ offset: 9, hosts: [27] }],
    });
  });

  it('mean what YAML says, however they are changed', () => {
    const piece = fc.constantFrom(
      ...[
        ' ',
        '  ',
        '\n',
        '\n  ',
        '\n- ',
        '- ',
        '-',
        ':',
        ': ',
        ',',
        ', ',
        '[',
        ']',
        '{',
        '}',
        '"',
        "'",
        '#',
        ' #',
      ],
      ...[
        '*',
        '**.',
        '&a',
        '!',
        '|',
        '>',
        '%',
        '@',
        '`',
        '?',
        '? ',
        '\\',
        '\t',
        '\r',
        '~',
        '.',
        '..',
        '---',
        '...',
      ],
      ...['1', '0', '1e3', '0x1', '0o7', '1.', '.5', '1_0', '+1', '-1', '1:30', '::1', 'e', 'x'],
      ...[
        'true',
        'False',
        'null',
        'yes',
        '.inf',
        'a',
        'name: ',
        'hosts:',
        '<<: ',
        'ü',
        '\u0085',
        '\u2028',
        '\u007f',
      ],
    );
    const edit = fc.record({ at: fc.nat(999), cut: fc.nat(4), piece });
    let isRead = 0;
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...PLAIN), { minLength: 1, maxLength: 2 }),
        fc.array(edit, { minLength: 1, maxLength: 3 }),
        (rules, edits) => {
          let text = rules.join('');
          for (const { at, cut, piece } of edits) {
            const place = Math.floor((at / 1000) * text.length);
            text = text.slice(0, place) + piece + text.slice(place + cut);
          }
          const plain = read(text);
          if (plain === null) return;
          isRead++;
          expect(plain).toEqual(parse(text));
        },
      ),
      { numRuns: 5000 },
    );
    expect(isRead).toBeGreaterThan(150);
  });
});
