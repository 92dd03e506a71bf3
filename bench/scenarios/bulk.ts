import { totalOf } from '../measure/cpu.ts';
import type { Contestant } from '../proxies/contestant.ts';
import type { Running } from '../proxies/launch.ts';
import { figure, type Table } from '../report/section.ts';
import { inRounds } from '../rounds.ts';
import type { Stage } from '../stage.ts';

type Direction = 'down' | 'up';

interface Figures {
  readonly cpuSecondsPerGb: number[];
  readonly gbPerSecond: number[];
}

interface Player {
  readonly name: string;
  readonly running: Running | null;
  readonly down: Figures;
  readonly up: Figures;
}

/** One flow with much data, downloaded and uploaded. */
export function measureBulk(stage: Stage, proxies: readonly Contestant[]): Promise<Table[]> {
  return stage.scope.within(async scope => {
    const { rounds } = stage.extent;
    const mib = stage.size(2_048, 32);
    const move = async ({ running, ...player }: Player, direction: Direction, size: number) => {
      const target = running?.target ?? stage.direct('hello');
      const order = { type: 'bulk', target, direction, mib: size } as const;
      const { result, activity } = await stage.watch(running, () => stage.load.bulk(order));
      const gb = result.bytes / 1e9;
      const { cpuSecondsPerGb, gbPerSecond } = player[direction];
      gbPerSecond.push(gb / result.seconds);
      cpuSecondsPerGb.push(activity.proxy === null ? Number.NaN : totalOf(activity.proxy) / gb);
    };
    const players: Player[] = [player('no proxy', null)];
    for (const proxy of stage.cast(proxies)) {
      stage.progress(`${proxy.name}: starting and warming up`);
      const running = await stage.start(scope, proxy);
      players.push(player(proxy.name, running));
      const warmUp = player(proxy.name, running);
      for (const direction of ['down', 'up'] as const) await move(warmUp, direction, mib / 16);
    }
    await inRounds(rounds, players, async (who, round) => {
      stage.progress(`${who.name}: round ${round} of ${rounds}`);
      for (const direction of ['down', 'up'] as const) await move(who, direction, mib);
    });
    return [table(players, mib)];
  });
}

function player(name: string, running: Running | null): Player {
  const empty = (): Figures => ({ cpuSecondsPerGb: [], gbPerSecond: [] });
  return { name, running, down: empty(), up: empty() };
}

function table(players: readonly Player[], mib: number): Table {
  return {
    caption: `One flow, ${mib} MiB each way.`,
    head: ['', 'download: CPU s/GB', 'GB/s', 'upload: CPU s/GB', 'GB/s'],
    rows: players.map(({ name, down, up }) => [
      name,
      figure(down.cpuSecondsPerGb, 2),
      figure(down.gbPerSecond, 2),
      figure(up.cpuSecondsPerGb, 2),
      figure(up.gbPerSecond, 2),
    ]),
  };
}
