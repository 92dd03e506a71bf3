import { setTimeout as sleep } from 'node:timers/promises';
import { type Memory, memoryOf } from '../measure/memory.ts';
import type { Contestant } from '../proxies/contestant.ts';
import type { Running } from '../proxies/launch.ts';
import { type Cell, figure, type Table } from '../report/section.ts';
import type { Stage } from '../stage.ts';

const STEPS = [0, 1_000, 5_000];
/** What a proxy needs to be up to speed (compiled code, buffers) is no matter of flows that are idle, and is there before. */
const WARM_UP_FLOWS = 20_000;
const WARM_UP_CONCURRENCY = 64;
/** What was only needed to set the flows up has been given back by then, or never will be. */
const SETTLE_MS = 1_500;

/** Memory with flows that are open and silent, of a proxy that has served before. */
export async function measureIdleFlows(stage: Stage, proxies: readonly Contestant[]): Promise<Table[]> {
  const rows: Cell[][] = [];
  const steps = STEPS.map(step => stage.size(step, step / 10));
  for (const proxy of stage.cast(proxies)) {
    stage.progress(`${proxy.name}: holding up to ${steps.at(-1)} flows`);
    const memory = await stage.scope.within(async scope =>
      hold(stage, await stage.start(scope, proxy), steps),
    );
    const [from, to] = [memory.at(-2), memory.at(-1)];
    const added = (steps.at(-1) ?? 0) - (steps.at(-2) ?? 0);
    const perFlow = (((to?.pss ?? 0) - (from?.pss ?? 0)) * 1024) / added;
    rows.push([
      proxy.name,
      ...memory.flatMap(({ pss, rss }) => [figure([pss / 1024], 1), figure([rss / 1024], 1)]),
      figure([perFlow], 0),
    ]);
  }
  return [
    {
      caption: `User-space memory in MiB, and what one idle flow more adds to the PSS from ${steps.at(-2)} on, in bytes.`,
      head: ['', ...steps.flatMap(step => [`${step} flows: PSS`, 'RSS']), 'B/flow'],
      rows,
    },
  ];
}

async function hold(stage: Stage, running: Running, steps: readonly number[]): Promise<Memory[]> {
  const { target } = running;
  const flows = stage.size(WARM_UP_FLOWS, 300);
  await stage.load.flows({ type: 'closed', target, flows, concurrency: WARM_UP_CONCURRENCY });
  const memory: Memory[] = [];
  let held = 0;
  for (const step of steps) {
    if (step > held) {
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
