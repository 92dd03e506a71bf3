import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseHostname } from '../../src/policy/hostname.ts';

describe('a hostname', () => {
  it.each([
    ['keeps lower case', 'api.example.com', 'api.example.com'],
    ['folds ASCII capitals', 'API.Example.COM', 'api.example.com'],
    ['may be one label', 'localhost', 'localhost'],
    ['may hold underscores', '_dmarc.example.com', '_dmarc.example.com'],
    ['may hold digits, but not last', '1.2.3.x4', '1.2.3.x4'],
  ])('%s', (_, text, hostname) => {
    expect(parseHostname(text)).toEqual({ ok: true, hostname });
  });

  it.each([
    ['is not empty', ''],
    ['does not end with a dot', 'example.com.'],
    ['is no IPv4 address', '10.1.2.3'],
    ['is no IPv6 address', '::1'],
    ['has no numeric last label', '127.1'],
    ['has no hexadecimal last label', 'a.0X7F'],
    ['holds no Kelvin sign, which JavaScript folds to k', 'boo\u212aing.com'],
    ['holds no dotted capital I', 'w\u0130ki.com'],
    ['holds no line break', 'a.com\r\nb'],
  ])('%s', (_, text) => {
    expect(parseHostname(text).ok).toBe(false);
  });

  it('is its own normal form, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.domain()), text => {
        const parsed = parseHostname(text);
        if (!parsed.ok) return;
        expect(parsed.hostname).toMatch(/^[a-z0-9_.-]{1,253}$/);
        expect(parseHostname(parsed.hostname)).toEqual(parsed);
      }),
    );
  });
});
