import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Status } from '../../src/admin/daemon-api.ts';
import { type DaemonOptions, TestDaemon } from '../support/daemon.ts';
import { Scope } from '../support/scope.ts';
import { canMount, fillDisk, smallDisk, temporaryDirectory } from '../support/small-disk.ts';
import { until } from '../support/until.ts';

const scope = new Scope();
afterEach(() => scope.close());

const POLICY = { mode: 'enforce', rules: [{ name: 'deny-all', action: 'deny', hosts: ['**.example'] }] };

const directory = () => temporaryDirectory(scope);
const mounted = (options: string) => smallDisk(scope, options);

async function start(store: string, options: Partial<DaemonOptions> = {}): Promise<TestDaemon> {
  const daemon = await TestDaemon.start({
    policy: POLICY,
    config: { sites: { store }, log: { level: 'info' } },
    ...options,
  });
  scope.defer(() => daemon.kill());
  return daemon;
}

/** Asks for hosts that the policy denies, `count` of them, one after the other. */
async function visit(daemon: TestDaemon, prefix: string, count: number): Promise<void> {
  const port = daemon.port('proxy');
  for (let i = 0; i < count; i++) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.end(`CONNECT ${prefix}${i}.example:443 HTTP/1.1\r\nHost: ${prefix}${i}.example:443\r\n\r\n`);
    socket.resume();
    await new Promise(resolve => socket.once('close', resolve));
  }
}

interface Answer {
  readonly total: number;
  readonly sites: readonly { readonly host: string; readonly flows: number }[];
}

async function sitesOf(daemon: TestDaemon): Promise<Answer> {
  return (await fetch(`${daemon.admin}/api/v1/sites`)).json() as Promise<Answer>;
}

async function storeOf(daemon: TestDaemon): Promise<{ readonly keptMs: number | null }> {
  const status = (await (await fetch(`${daemon.admin}/api/v1/status`)).json()) as Status;
  return status.siteStore ?? { keptMs: null };
}

const isKept = async (daemon: TestDaemon) => (await daemon.metric('sallyport_site_store_up')) === 1;
const failure = (line: Readonly<Record<string, unknown>>) => line.event === 'site_store_failed';

describe('sites on disk', () => {
  it('are there again after a restart, with their rules’ hits', async () => {
    const store = join(directory(), 'data', 'sallyport.db');
    const first = await start(store);
    await visit(first, 'a', 20);
    expect(await first.stop()).toEqual({ code: 0, signal: null });
    expect(statSync(store).mode & 0o077).toBe(0);
    const second = await start(store);
    await visit(second, 'a', 5);
    await until(
      'all are counted',
      async () => (await sitesOf(second)).sites.reduce((n, s) => n + s.flows, 0) === 25,
    );
    const rules = (await (await fetch(`${second.admin}/api/v1/rules`)).json()) as { rules: unknown[] };
    expect(rules.rules).toMatchObject([{ name: 'deny-all', hits: 25 }]);
  });

  it('survive kill -9 at any moment, up to what was kept last', async () => {
    const store = join(directory(), 'sallyport.db');
    let before = 0;
    for (let round = 0; round < 4; round++) {
      const daemon = await start(store);
      const { total } = await sitesOf(daemon);
      expect(total).toBeGreaterThanOrEqual(before);
      const visits = visit(daemon, `r${round}-`, 400);
      await until('something was counted', async () => (await sitesOf(daemon)).total > total);
      before = (await sitesOf(daemon)).total;
      const countedMs = Date.now();
      await until('that was kept', async () => ((await storeOf(daemon)).keptMs ?? 0) > countedMs);
      await daemon.kill();
      await visits.catch(() => {});
    }
    const last = await start(store);
    const { total, sites } = await sitesOf(last);
    expect(total).toBeGreaterThanOrEqual(before);
    expect(sites.every(({ flows }) => flows === 1)).toBe(true);
    expect(last.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('that are damaged are set aside, and the filter goes on', async () => {
    const data = directory();
    const store = join(data, 'sallyport.db');
    writeFileSync(store, 'no database\n'.repeat(500));
    const daemon = await start(store);
    expect(daemon.lines).toContainEqual(
      expect.objectContaining({ level: 'error', event: 'site_store_damaged' }),
    );
    expect(readdirSync(data).some(name => name.startsWith('sallyport.db.corrupt-'))).toBe(true);
    await visit(daemon, 'a', 3);
    await until('all are counted', async () => (await sitesOf(daemon)).total === 3);
    expect(await isKept(daemon)).toBe(true);
  });

  it('are forgotten by a reset, for good', async () => {
    const store = join(directory(), 'sallyport.db');
    const first = await start(store);
    await visit(first, 'a', 3);
    await until('all are counted', async () => (await sitesOf(first)).total === 3);
    const reset = await fetch(`${first.admin}/api/v1/sites/reset`, { method: 'POST' });
    expect(await reset.json()).toMatchObject({ dropped: 3 });
    await first.stop();
    expect((await sitesOf(await start(store))).total).toBe(0);
  });
});

describe.runIf(canMount)('a disk that cannot be written (needs root, for mount)', () => {
  it('when it is full: sites are counted in memory, and kept once there is room', async () => {
    const data = mounted('size=512k');
    const daemon = await start(join(data, 'sallyport.db'));
    expect(await isKept(daemon)).toBe(true);
    const ballast = join(data, 'ballast');
    fillDisk(ballast);
    await visit(daemon, 'a', 50);
    const said = await daemon.line(failure);
    expect(said.msg).toMatch(
      /sites cannot be kept in .*: (the disk is full|reading or writing the disk failed)/,
    );
    await until('all are counted', async () => (await sitesOf(daemon)).total === 50);
    expect(await isKept(daemon)).toBe(false);
    rmSync(ballast);
    await daemon.line(line => line.event === 'site_store_works');
    await daemon.stop();
    expect((await sitesOf(await start(join(data, 'sallyport.db')))).total).toBe(50);
  });

  it('when it is read-only: the log says so, and the filter goes on', async () => {
    const data = mounted('size=1m');
    execFileSync('mount', ['-o', 'remount,ro', data]);
    const daemon = await start(join(data, 'sallyport.db'));
    expect((await daemon.line(failure)).msg).toMatch(
      /sites cannot be kept in .*: it cannot be opened \(make/,
    );
    await visit(daemon, 'a', 3);
    await until('all are counted', async () => (await sitesOf(daemon)).total === 3);
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  });
});

describe('sites in memory', () => {
  it('write no file', async () => {
    const daemon = await TestDaemon.start({ policy: POLICY });
    scope.defer(() => daemon.kill());
    await visit(daemon, 'a', 3);
    await until('all are counted', async () => (await sitesOf(daemon)).total === 3);
    expect(readdirSync(daemon.directory).sort()).toEqual(['policy.yaml', 'sallyport.yaml']);
    expect(writableFiles(daemon.process.pid ?? 0)).toEqual([]);
    expect(await daemon.metric('sallyport_site_store_up')).toBe(0);
  });
});

/** Regular files that a process holds open for writing. */
function writableFiles(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).filter(fd => {
    const flags = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0';
    const target = readlinkSync(`/proc/${pid}/fd/${fd}`);
    return (Number.parseInt(flags, 8) & 3) !== 0 && target.startsWith('/') && !target.startsWith('/dev/');
  });
}
