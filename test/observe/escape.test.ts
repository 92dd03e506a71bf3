import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { escapeText, escapeValue, unescapeValue } from '../../src/observe/escape.ts';

describe('a value', () => {
  const cases: readonly [string, string | null, string][] = [
    ['that is a hostname stays as it is', 'registry-1.docker.io', 'registry-1.docker.io'],
    ['that is an address stays as it is', '2001:db8::1', '2001:db8::1'],
    ['that is absent is a dash', null, '-'],
    ['that is empty is a dash', '', '-'],
    ['with a line break stays on its line', 'a\r\nb', 'a\\x0d\\x0ab'],
    ['with a forged field stays one field', 'x state=MATCHED', 'x\\x20state\\x3dMATCHED'],
    ['with quotes is unquoted', `"a'`, '\\x22a\\x27'],
    ['with a backslash can be told from an escape', 'a\\x20', 'a\\x5cx20'],
    ['with an escape sequence moves no cursor', '\u001b[2J\u009b', '\\x1b[2J\\x9b'],
    ['with other letters is spelled out', 'é\u212a\u2028', '\\xe9\\u212a\\u2028'],
    ['outside the basic plane is spelled out by halves', '\u{1f600}', '\\ud83d\\ude00'],
  ];
  test.each(cases)('%s', (_sentence, value, expected) => {
    expect(escapeValue(value)).toBe(expected);
  });
});

test('running text keeps single spaces only', () => {
  expect(escapeText('policy  loaded\nstate=MATCHED')).toBe('policy \\x20loaded\\x0astate\\x3dMATCHED');
});

test('whatever goes in, plain ASCII without space, quote or = comes out, and can be read back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1 }), value => {
      const escaped = escapeValue(value);
      expect(escaped).toMatch(/^[!-~]+$/);
      expect(escaped).not.toMatch(/["'=]/);
      expect(unescapeValue(escaped)).toBe(value);
    }),
  );
});
