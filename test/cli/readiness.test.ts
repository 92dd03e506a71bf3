import { expect, it } from 'vitest';
import { READINESS } from '../admin/support.ts';
import { fakeDaemon, sallyport } from './support.ts';

it.each([
  ['ready', 0],
  ['not ready', 1],
  ['no traffic', 1],
] as const)('%s exits with %i', async (verdict, code) => {
  const { daemon, admin } = await fakeDaemon();
  daemon.verdict = verdict;
  const ran = await sallyport(['readiness', '--admin', admin]);
  expect([ran.code, ran.err]).toEqual([code, '']);
  expect(ran.out).toMatch(
    new RegExp(`^${verdict}: counted since 2026-01-01T00:00:00.000Z; asked for 14 days`),
  );
});

it('passes thresholds on', async () => {
  const { daemon, admin } = await fakeDaemon();
  const args = ['--min-days', '7', '--quiet-hours', '48', '--max-drops', '5', '--calendar', 'month-end'];
  await sallyport(['readiness', ...args, '--admin', admin]);
  expect(daemon.thresholds).toEqual([{ minDays: 7, quietHours: 48, maxDrops: 5, calendar: 'month-end' }]);
});

it('is JSON when asked for it', async () => {
  const { admin } = await fakeDaemon();
  const { out } = await sallyport(['readiness', '--json', '--admin', admin]);
  expect(JSON.parse(out)).toEqual(READINESS);
});

it('says what is wrong with a threshold', async () => {
  const { admin } = await fakeDaemon();
  const { code, err } = await sallyport(['readiness', '--min-days', 'two', '--admin', admin]);
  expect([code, err]).toEqual([
    2,
    'sallyport: minDays: "two" is no number from 0 up (write a whole number such as 100)\n',
  ]);
});
