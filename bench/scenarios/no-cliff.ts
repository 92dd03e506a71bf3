import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { FlowsResult } from '../load/orders.ts';
import type { Contestant } from '../proxies/contestant.ts';
import type { Running } from '../proxies/launch.ts';
import { sallyport } from '../proxies/sallyport.ts';
import { figure, type Table } from '../report/section.ts';
import type { Scope } from '../scope.ts';
import type { Stage } from '../stage.ts';
import { collecting, type Disturbance, nothing, reloading, scraping, slowPipe } from './disturbances.ts';

const RULES = 100_000;
/** Of the loaded proxy's saturation. */
const LOAD = 0.5;
const TRACED = ['--trace-gc'];
/** So little room for young objects that collections come many times a second. */
const CRAMPED = ['--trace-gc', '--max-semi-space-size=1'];

interface Case {
  readonly name: string;
  readonly running: Running;
  readonly disturbance: Disturbance;
  readonly seconds: number;
}

/** Latency in open loop while other things go on. `yardstick` meets the same load undisturbed. */
export function measureNoCliff(stage: Stage, yardstick: Contestant): Promise<Table[]> {
  return stage.scope.within(async scope => {
    const cases = await prepare(scope, stage, yardstick);
    const rate = stage.extent.rate ?? (await chooseRate(stage, cases));
    const rows = [];
    for (const { name, running, disturbance, seconds } of cases) {
      const results: FlowsResult[] = [];
      let said = '';
      for (let round = 1; round <= stage.extent.rounds; round++) {
        stage.progress(`${name}: round ${round} of ${stage.extent.rounds}`);
        const { result } = await stage.watch(running, async () => {
          const end = disturbance(running);
          const order = { type: 'open', target: running.target, flowsPerSecond: rate, seconds } as const;
          const flows = await stage.load.flows(order);
          said = await end();
          return flows;
        });
        results.push(result);
      }
      const failed = results.reduce((sum, result) => sum + result.failed, 0);
      const latency = (pick: 'p50' | 'p99' | 'p999' | 'max') =>
        figure(
          results.map(({ latencyUs }) => latencyUs[pick] / 1000),
          2,
        );
      rows.push([
        name,
        latency('p50'),
        latency('p99'),
        latency('p999'),
        latency('max'),
        String(failed),
        said,
      ]);
    }
    return [
      {
        caption: `Open loop, ${rate} flows/s: scheduled start to the first byte of the answer, in ms.`,
        head: ['', 'p50', 'p99', 'p99.9', 'longest', 'failed flows', 'in the last round'],
        rows,
      },
    ];
  });
}

async function prepare(scope: Scope, stage: Stage, yardstick: Contestant): Promise<Case[]> {
  const seconds = stage.size(4, 0.2);
  const rules = stage.size(RULES, RULES / 100);
  const start = async (proxy: Contestant, logFd?: number) => {
    stage.progress(`${proxy.name}: starting and warming up`);
    const running = await stage.start(scope, proxy, logFd === undefined ? {} : { logFd });
    const { target } = running;
    await stage.load.flows({ type: 'closed', target, flows: stage.size(20_000, 300), concurrency: 64 });
    return running;
  };
  const epoll = (nodeArgs: readonly string[]) => sallyport({ dataplane: 'epoll', mode: 'enforce', nodeArgs });
  const plain = await start(epoll([]));
  const pipe = slowPipe(scope, mkdtempSync(join(stage.options.dir, 'pipe-')));
  const [slow, traced, cramped] = [
    await start(epoll([]), pipe.fd),
    await start(epoll(TRACED)),
    await start(epoll(CRAMPED)),
  ];
  const peers = [];
  for (const proxy of stage.cast([yardstick])) peers.push(await start(proxy));
  return [
    ...peers.map(running => ({
      name: `${running.proxy.name}, undisturbed`,
      running,
      disturbance: nothing,
      seconds,
    })),
    { name: 'sallyport, undisturbed', running: plain, disturbance: nothing, seconds },
    { name: '/metrics read every second', running: plain, disturbance: scraping, seconds },
    { name: 'log into a pipe that is hardly read', running: slow, disturbance: pipe.disturbance, seconds },
    { name: 'garbage collection, as it comes', running: traced, disturbance: collecting, seconds },
    { name: 'garbage collection, young space of 1 MiB', running: cramped, disturbance: collecting, seconds },
    {
      name: `policies of ${rules} rules loaded one after the other`,
      running: plain,
      disturbance: reloading(rules),
      seconds: stage.size(12, 0.5),
    },
  ];
}

async function chooseRate(stage: Stage, cases: readonly Case[]): Promise<number> {
  const rates: number[] = [];
  for (const { target } of new Set(cases.map(({ running }) => running))) {
    const order = { type: 'closed', target, flows: stage.size(10_000, 300), concurrency: 64 } as const;
    const { flows, seconds } = await stage.load.flows(order);
    rates.push(flows / seconds);
  }
  return Math.round((LOAD * Math.min(...rates)) / 100) * 100;
}
