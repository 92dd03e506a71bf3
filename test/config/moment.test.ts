import { expect, test } from 'vitest';
import { parseMoment } from '../../src/config/moment.ts';

const NOW = Date.UTC(2026, 10, 21, 12);

test.each([
  ['7d', Date.UTC(2026, 10, 14, 12)],
  ['36h', Date.UTC(2026, 10, 20)],
  ['0s', NOW],
  ['400d', NOW - 400 * 24 * 3_600_000],
  ['2026-11-01', Date.UTC(2026, 10, 1)],
  ['2026-11-01T08:00:00+02:00', Date.UTC(2026, 10, 1, 6)],
])('%s', (text, expected) => {
  expect(parseMoment(text, NOW)).toEqual({ ok: true, value: expected });
});

test.each([
  ['7', 'write 7d'],
  ['yesterday', 'write 7d'],
  ['-7d', 'write 7d'],
  ['', 'write 7d'],
  ['99999d', 'write 7d'],
  ['2026-11-31', 'correct the date'],
  ['2026-11-01T08:00', 'say the time zone'],
])('%j is none', (text, fix) => {
  expect(parseMoment(text, NOW)).toMatchObject({ ok: false, fix: expect.stringContaining(fix) });
});
