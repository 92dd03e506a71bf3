import { setTimeout as sleep } from 'node:timers/promises';
import { type Memory, memoryOf } from '../measure/memory.ts';
import type { Contestant } from '../proxies/contestant.ts';
import type { Running } from '../proxies/launch.ts';
import { type Cell, figure, type Table } from '../report/section.ts';
import type { Stage } from '../stage.ts';

const STEPS = [0, 1_000, 5_000];
/** What was only needed to set the flows up has been given back by then, or never will be. */
const SETTLE_MS = 1_500;

/** Memory with flows that are open and silent, after start-up and before any other load. */
export async function measureIdleFlows(stage: Stage, proxies: readonly Contestant[]): Promise<Table[]> {
  const rows: Cell[][] = [];
  const steps = STEPS.map(step => stage.size(step, step / 10));
  for (const proxy of stage.cast(proxies)) {
    stage.progress(`${proxy.name}: holding up to ${steps.at(-1)} flows`);
    const memory = await stage.scope.within(async scope =>
      hold(stage, await stage.start(scope, proxy), steps),
    );
    const [atRest, ...loaded] = memory;
    const perFlow = loaded.map((now, i) => ((now.pss - (atRest?.pss ?? 0)) * 1024) / (steps[i + 1] ?? 0));
    rows.push([
      proxy.name,
      ...memory.flatMap(({ pss, rss }) => [figure([pss / 1024], 1), figure([rss / 1024], 1)]),
      ...perFlow.map(bytes => figure([bytes], 0)),
    ]);
  }
  const [, ...loaded] = steps;
  return [
    {
      caption: 'User-space memory in MiB, and what one idle flow adds to the PSS, in bytes.',
      head: [
        '',
        ...steps.flatMap(step => [`${step} flows: PSS`, 'RSS']),
        ...loaded.map(step => `B/flow at ${step}`),
      ],
      rows,
    },
  ];
}

async function hold(stage: Stage, running: Running, steps: readonly number[]): Promise<Memory[]> {
  const memory: Memory[] = [];
  let held = 0;
  for (const step of steps) {
    if (step > held) {
      const { target } = running;
      const { failed } = await stage.load.flows({ type: 'hold', target, flows: step - held });
      if (failed > 0) throw new Error(`${running.proxy.name}: ${failed} of ${step} flows failed`);
      held = step;
    }
    await sleep(stage.size(SETTLE_MS, 100));
    memory.push(memoryOf(running.pid));
  }
  await stage.load.release();
  return memory;
}
