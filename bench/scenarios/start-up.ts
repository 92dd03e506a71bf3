import type { Contestant } from '../proxies/contestant.ts';
import { figure, type Table } from '../report/section.ts';
import { inRounds } from '../rounds.ts';
import type { Stage } from '../stage.ts';

const STARTS = 5;

/** From the start of a process to its first answered flow. */
export async function measureStartUp(stage: Stage, proxies: readonly Contestant[]): Promise<Table[]> {
  const players = stage.cast(proxies).map(proxy => ({ proxy, readyMs: [] as number[] }));
  await inRounds(stage.size(STARTS, 1), players, async ({ proxy, readyMs }) => {
    stage.progress(`${proxy.name}: starting`);
    await stage.scope.within(async scope => {
      readyMs.push((await stage.start(scope, proxy)).readyMs);
    });
  });
  return [
    {
      caption: 'Start of the process to the first answered flow.',
      head: ['', 'ms'],
      rows: players.map(({ proxy, readyMs }) => [proxy.name, figure(readyMs, 0)]),
    },
  ];
}
