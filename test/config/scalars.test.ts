import { describe, expect, it } from 'vitest';
import { parseDate, parseDuration, parseName, parseSize } from '../../src/config/scalars.ts';
import { addressesCollide, parseSocketAddress } from '../../src/config/socket-address.ts';

describe('a duration', () => {
  it.each([
    ['250ms', 250],
    ['5s', 5000],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
  ])('%s is %i ms', (text, value) => {
    expect(parseDuration(text, 1)).toEqual({ ok: true, value });
  });

  it.each(['5', '', '5 s', '-5s', '1.5s', '5S', '1w', '0s', '8d', '999999h', '5s ', '1e3s'])(
    '%j is none',
    text => {
      expect(parseDuration(text, 1).ok).toBe(false);
    },
  );
});

describe('a size', () => {
  it.each([
    ['2048B', 2048],
    ['64KiB', 65_536],
    ['1MiB', 1_048_576],
  ])('%s is %i bytes', (text, value) => {
    expect(parseSize(text, 1024, 1_048_576)).toEqual({ ok: true, value });
  });

  it.each(['64', '64KB', '64kib', '1B', '2MiB', 'KiB'])('%j is none', text => {
    expect(parseSize(text, 1024, 1_048_576).ok).toBe(false);
  });
});

describe('a date', () => {
  it.each([
    ['the start of the day', '2027-01-31', 'start', '2027-01-31T00:00:00Z'],
    ['the end of the day', '2027-01-31', 'end', '2027-02-01T00:00:00Z'],
    ['a moment', '2027-01-31T12:30:00Z', 'end', '2027-01-31T12:30:00Z'],
    ['a moment elsewhere', '2027-01-31T00:00:00+02:00', 'end', '2027-01-30T22:00:00Z'],
    ['the form of a YAML timestamp', '2027-01-31 12:30:00Z', 'end', '2027-01-31T12:30:00Z'],
    ['February 29 in a leap year', '2028-02-29', 'start', '2028-02-29T00:00:00Z'],
  ] as const)('%s', (_, text, means, moment) => {
    expect(parseDate(text, means)).toEqual({ ok: true, value: Date.parse(moment) });
  });

  it.each(
    [
      [
        '2027-02-29',
        '2027-13-01',
        '2027-00-10',
        'tomorrow',
        '2027-1-1',
        '2027-01-31T12:30:00',
        '2027-01-31T25:00:00Z',
        '20270131',
      ],
    ].flat(),
  )('%j is none', text => {
    expect(parseDate(text, 'end').ok).toBe(false);
  });
});

describe('a name', () => {
  it.each(['a', 'nv-transit_egress.1', 'x'.repeat(128)])('%s', text => {
    expect(parseName(text)).toEqual({ ok: true, value: text });
  });

  it.each(['', 'a b', 'a"b', 'a\nb', 'a=b', 'x'.repeat(129), 'é'])('%j is none', text => {
    expect(parseName(text).ok).toBe(false);
  });
});

describe('an address to listen at', () => {
  it.each([
    ['127.0.0.1:3128', { host: '127.0.0.1', port: 3128 }],
    ['[::1]:0', { host: '::1', port: 0 }],
    ['[2001:DB8::0:1]:443', { host: '2001:db8::1', port: 443 }],
  ])('%s', (text, value) => {
    expect(parseSocketAddress(text)).toEqual({ ok: true, value });
  });

  it.each([
    ['localhost:3128', 'write 127.0.0.1:3128'],
    [':3128', 'write 0.0.0.0:3128 or [::]:3128'],
    ['*:3128', 'write 0.0.0.0:3128 or [::]:3128'],
    ['::1:3128', 'write [::1]:3128'],
    ['::1', 'add the port: [::1]:3128'],
    ['10.0.0.1', 'add the port: 10.0.0.1:3128'],
  ])('%s is none: %s', (text, fix) => {
    expect(parseSocketAddress(text)).toMatchObject({ ok: false, fix });
  });

  it.each([
    ['the same', '127.0.0.1:1', '127.0.0.1:1', true],
    ['all of IPv4', '0.0.0.0:1', '127.0.0.1:1', true],
    ['all of both', '[::]:1', '127.0.0.1:1', true],
    ['IPv4 and IPv6', '0.0.0.0:1', '[::1]:1', false],
    ['another port', '127.0.0.1:1', '127.0.0.1:2', false],
    ['port 0', '127.0.0.1:0', '127.0.0.1:0', false],
  ])('collides with another: %s', (_, a, b, collide) => {
    const [left, right] = [parseSocketAddress(a), parseSocketAddress(b)];
    if (!left.ok || !right.ok) throw new Error('must parse');
    expect(addressesCollide(left.value, right.value)).toBe(collide);
    expect(addressesCollide(right.value, left.value)).toBe(collide);
  });
});
