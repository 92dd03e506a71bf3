import { join } from 'node:path';
import { countSystemCalls, straceObstacle } from '../measure/system-calls.ts';
import type { Contestant } from '../proxies/contestant.ts';
import { figure, type Table } from '../report/section.ts';
import type { Stage } from '../stage.ts';

const CONCURRENCY = 64;
/** What comes up less often than this is no part of a flow. */
const MIN_PER_FLOW = 0.005;

/** System calls of one short flow, by name, all threads; a run of its own, because counting slows everything down. */
export async function measureSystemCalls(stage: Stage, proxies: readonly Contestant[]): Promise<Table[]> {
  const obstacle = await straceObstacle();
  if (obstacle !== null) {
    stage.progress(`left out: ${obstacle}`);
    return [{ caption: `Not measured: ${obstacle}.`, head: [''], rows: [] }];
  }
  const flows = stage.size(4_000, 200);
  const columns: { name: string; perFlow: ReadonlyMap<string, number> }[] = [];
  for (const proxy of stage.cast(proxies)) {
    stage.progress(`${proxy.name}: counting`);
    const counts = await stage.scope.within(async scope => {
      const running = await stage.start(scope, proxy);
      const { target } = running;
      const order = { type: 'closed', target, flows, concurrency: CONCURRENCY } as const;
      await stage.load.flows(order);
      return countSystemCalls(running.pid, join(running.dir, 'strace.txt'), async () => {
        await stage.load.flows(order);
      });
    });
    columns.push({
      name: proxy.name,
      perFlow: new Map([...counts].map(([call, count]) => [call, count / flows])),
    });
  }
  const calls = new Set(columns.flatMap(({ perFlow }) => [...perFlow.keys()]));
  const rows = [...calls]
    .map(call => ({ call, perFlow: columns.map(column => column.perFlow.get(call) ?? 0) }))
    .filter(({ perFlow }) => Math.max(...perFlow) >= MIN_PER_FLOW)
    .sort((a, b) => sum(b.perFlow) - sum(a.perFlow));
  const totals = columns.map(({ perFlow }) => sum([...perFlow.values()]));
  return [
    {
      caption: `System calls a flow, ${CONCURRENCY} flows at a time.`,
      head: ['', ...columns.map(({ name }) => name)],
      rows: [
        ...rows.map(({ call, perFlow }) => [
          call,
          ...perFlow.map(count => (count < MIN_PER_FLOW ? '' : figure([count], 2))),
        ]),
        ['all', ...totals.map(total => figure([total], 1))],
      ],
    },
  ];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
