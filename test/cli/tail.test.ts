import { describe, expect, it } from 'vitest';
import { startAdminServer } from '../../src/admin/admin-server.ts';
import { LiveTail } from '../../src/observe/live-tail.ts';
import { ADMIN, FakeDaemon } from '../admin/support.ts';
import { until } from '../support/until.ts';
import { fakeDaemon, sallyport } from './support.ts';

const record = (action: string, msg: string) =>
  `${JSON.stringify({ time: '2026-01-01T00:00:00.000Z', event: 'decision', action, msg })}\n`;
const LINES = record('allow', 'first') + record('deny', 'second') + record('deny', 'third');

/** Runs the command, and lets the daemon say `lines` once it listens. */
async function tailing(args: readonly string[], lines: string) {
  const { daemon, admin } = await fakeDaemon();
  const tail = new LiveTail();
  daemon.tail = tail;
  const ran = sallyport(['tail', '--admin', admin, ...args]);
  await until('it listens', () => tail.listeners === 1);
  tail.say(new TextEncoder().encode(lines));
  const result = await ran;
  await until('it listens no more', () => tail.listeners === 0);
  return result;
}

describe('tail', () => {
  it('shows what flows do, up to a limit', async () => {
    expect(await tailing(['--limit', '2'], LINES)).toEqual({
      code: 0,
      out: '2026-01-01T00:00:00.000Z first\n2026-01-01T00:00:00.000Z second\n',
      err: '',
    });
  });

  it('shows those of a verdict', async () => {
    const { out } = await tailing(['--verdict', 'deny', '--limit', '2'], LINES);
    expect(out).toBe('2026-01-01T00:00:00.000Z second\n2026-01-01T00:00:00.000Z third\n');
  });

  it('is JSON when asked for it', async () => {
    expect((await tailing(['--json', '--limit', '3'], LINES)).out).toBe(LINES);
  });

  it('shows text as it is, and says that it is not JSON', async () => {
    expect((await tailing(['--limit', '1'], '2026 info Gateway=x\n')).out).toBe('2026 info Gateway=x\n');
    expect(await tailing(['--json'], '2026 info Gateway=x\n')).toMatchObject({
      code: 1,
      err: expect.stringContaining('need log.format: json'),
    });
  });

  it('says that the daemon has ended', async () => {
    const daemon = new FakeDaemon();
    const server = await startAdminServer(ADMIN, daemon);
    const ran = sallyport(['tail', '--admin', `127.0.0.1:${server.address.port}`]);
    await until('it listens', () => daemon.tail?.listeners === 1);
    await server.close();
    expect(await ran).toEqual({ code: 1, out: '', err: 'sallyport: the daemon has ended\n' });
  });

  it('says why there is nothing to show', async () => {
    const { daemon, admin } = await fakeDaemon();
    daemon.tail = null;
    expect(await sallyport(['tail', '--admin', admin])).toMatchObject({
      code: 1,
      err: expect.stringContaining('log.level'),
    });
  });

  it.each([
    [['--verdict', 'dany'], '--verdict dany: no verdict (allow, deny or would-deny)'],
    [['--limit', '0'], '--limit 0: no number from 1 up'],
  ])('%j is no question', async (args, message) => {
    expect(await sallyport(['tail', ...args])).toEqual({ code: 2, out: '', err: `sallyport: ${message}\n` });
  });
});
