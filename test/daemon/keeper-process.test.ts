import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { keeperProcess } from '../../src/daemon/keeper-process.ts';
import { Discovery } from '../../src/observe/discovery.ts';
import { SiteStore } from '../../src/observe/store/site-store.ts';
import { count, type Kept, knownBy, NOW, SpokenLog, storePath } from '../observe/store/support.ts';
import { decision } from '../observe/support.ts';
import { until } from '../support/until.ts';

const PROGRAM = new URL('../../dist/site-keeper.js', import.meta.url);

/** Discovery with a store whose keeper is a process, as the daemon has it. */
async function keep(path: string): Promise<Kept> {
  const discovery = new Discovery({}, NOW);
  const log = new SpokenLog();
  const store = new SiteStore({
    path,
    discovery,
    log,
    maxSites: 10_000,
    onOpened: () => {},
    connect: hear => keeperProcess(path, hear, PROGRAM),
  });
  await store.ready(20_000);
  return { discovery, store, log };
}

const visits = (count: number) =>
  Array.from({ length: count }, (_, i) => decision({ hostname: `host-${i}.example`, rule: 'api' }));

test('what a process keeps, another finds', async () => {
  const path = storePath();
  const first = await keep(path);
  count(first, ...visits(3_000));
  await first.store.close(20_000);
  const second = await keep(path);
  expect(knownBy(second)).toEqual(knownBy(first));
  expect(await second.store.trend('hour', {}, 0)).toMatchObject([{ flows: 3_000 }]);
  await second.store.close(20_000);
  expect([...first.log.said, ...second.log.said]).toEqual([]);
});

test('bytes that flip anywhere leave a store that works: with what it held, or with a new file', async () => {
  const path = storePath();
  const first = await keep(path);
  count(first, ...visits(300));
  await first.store.close(20_000);
  const whole = readFileSync(path);
  let seed = 42;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const aside = () => readdirSync(dirname(path)).filter(name => name.includes('.corrupt-'));
  for (let round = 0; round < 40; round++) {
    const content = Buffer.from(whole);
    for (let flips = 1 + random(40); flips > 0; flips--) {
      const at = random(content.length);
      content[at] = (content[at] ?? 0) ^ (1 << random(8));
    }
    writeFileSync(path, content);
    const kept = await keep(path);
    await until('the store is open', () => kept.store.status.state === 'open');
    const held = knownBy(kept).sites.length;
    expect(aside().length === 0 ? held > 290 : held === 0, `round ${round}: ${held} ${aside()}`).toBe(true);
    count(kept, decision({ hostname: 'after.example' }));
    await kept.store.close(20_000);
    const again = await keep(path);
    expect(knownBy(again).sites.map(({ host }) => host)).toContain('after.example');
    await again.store.close(20_000);
    for (const name of aside()) rmSync(join(dirname(path), name));
  }
});

test('a keeper that is killed is started again, and nothing that was counted is lost', async () => {
  const path = storePath();
  const kept = await keep(path);
  onTestFinished(() => kept.store.close(20_000));
  count(kept, ...visits(10));
  const before = children();
  for (const pid of before) process.kill(pid, 'SIGKILL');
  await until('it is noticed', () => kept.log.said.length > 0);
  expect(kept.log.said[0]).toMatch(
    /the process that keeps it has ended: SIGKILL; they are counted in memory/,
  );
  count(kept, decision({ hostname: 'meanwhile.example' }));
  await until('it works again', () => kept.store.status.state === 'open');
  await kept.store.close(20_000);
  const again = await keep(path);
  expect(knownBy(again).sites).toHaveLength(11);
  await again.store.close(20_000);
});

/** Keepers that this process has started. */
function children(): number[] {
  return readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8')
    .split(' ')
    .filter(text => text !== '')
    .map(Number)
    .filter(pid => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('site-keeper.js'));
}
