import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type HostnameFault, hostnameFault, sameHostname } from '../../src/tls-sni/index.ts';

const label63 = 'a'.repeat(63);
const name253 = `${label63}.${label63}.${label63}.${'b'.repeat(61)}`;

describe('hostnameFault', () => {
  it.each([
    'allowed.example',
    'ALLOWED.Example',
    'localhost',
    'dogfish',
    '_a_b.wild.example',
    'a--b.example',
    'xn--mnchen-3ya.example',
    '1.2.3.example',
    '0x7f.example',
    '1a',
    '0xfg',
    'x0',
    '__proto__',
    label63,
    name253,
  ])('takes %s', name => {
    expect(hostnameFault(name)).toBeNull();
  });

  it.each<[string, HostnameFault]>([
    ['', 'name-empty'],
    [`${name253}b`, 'name-too-long'],
    ['.', 'label-empty'],
    ['.a', 'label-empty'],
    ['a.', 'label-empty'],
    ['a..b', 'label-empty'],
    [`${label63}a`, 'label-too-long'],
    ['-a.wild.example', 'label-hyphen'],
    ['a-.wild.example', 'label-hyphen'],
    ['a.-', 'label-hyphen'],
    ['127.1', 'name-numeric'],
    ['2130706433', 'name-numeric'],
    ['a.example.0', 'name-numeric'],
    ['0x7f000001', 'name-numeric'],
    ['0X7F.0XaF', 'name-numeric'],
    ['a.0x', 'name-numeric'],
    ['999.1.1.1', 'name-numeric'],
    ['127.0.0.01', 'name-numeric'],
    ['127.0.0.1', 'name-ip-literal'],
    ['255.255.255.255', 'name-ip-literal'],
    ['2001:db8::1', 'name-ip-literal'],
    ['::', 'name-ip-literal'],
    ['::ffff:127.0.0.1', 'name-ip-literal'],
    ['[::1]', 'name-ip-literal'],
    ['allowed.example:443', 'name-byte'],
    ['a b.example', 'name-byte'],
    ['a\0.example', 'name-byte'],
    ['a\r\n.example', 'name-byte'],
    ['a/b', 'name-byte'],
    ['a@b', 'name-byte'],
    ['a`b', 'name-byte'],
    ['*.wild.example', 'name-byte'],
    ['%61.example', 'name-byte'],
    ['b\u00fccher.example', 'name-byte'],
    ['\u212a.example', 'name-byte'],
  ])('refuses %j as %s', (name, fault) => {
    expect(hostnameFault(name)).toBe(fault);
  });

  it('judges every single byte', () => {
    const taken = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).filter(
      char => hostnameFault(`a${char}a`) === null,
    );
    expect(taken.join('')).toBe('-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz');
  });

  it('agrees with the grammar written as an expression', () => {
    const label = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/i;
    const isName = (name: string) =>
      name.length <= 253 &&
      name.split('.').every(l => label.test(l)) &&
      !/(^|\.)(\d+|0x[0-9a-f]*)$/i.test(name);
    const char = fc.constantFrom('a', 'Z', '0', '7', 'x', 'f', 'g', '-', '_', '.', ':', '[', ' ');
    fc.assert(
      fc.property(fc.string({ unit: char, maxLength: 260 }), name => {
        expect(hostnameFault(name) === null).toBe(isName(name));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('sameHostname', () => {
  it.each<[string, string, boolean]>([
    ['allowed.example', 'ALLOWED.example', true],
    ['a_b.example', 'A_B.EXAMPLE', true],
    ['a.example', 'b.example', false],
    ['a.example', 'a.example2', false],
    ['a_', 'a\x7f', false],
    ['k.example', '\u212a.example', false],
  ])('%s and %s: %s', (a, b, same) => {
    expect(sameHostname(a, b)).toBe(same);
  });
});
