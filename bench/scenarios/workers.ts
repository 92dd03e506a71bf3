import type { FlowsResult } from '../load/orders.ts';
import { startThreadClock, totalOf } from '../measure/cpu.ts';
import { median } from '../measure/statistics.ts';
import type { Contestant } from '../proxies/contestant.ts';
import type { Running } from '../proxies/launch.ts';
import { figure, type Table } from '../report/section.ts';
import { inRounds } from '../rounds.ts';
import type { Scope } from '../scope.ts';
import type { Stage } from '../stage.ts';

const CONCURRENCY = 128;
/** Of what the slowest can do: the load needs its share of the same cores where there are only two. */
const LOAD = 0.6;

/** The same proxy with one worker and with two. */
export interface Pair {
  readonly name: string;
  readonly one: Contestant;
  readonly two: Contestant;
}

interface Player {
  readonly name: string;
  readonly workers: string;
  readonly running: Running;
  readonly perSecond: number[];
  readonly cpuUs: number[];
  readonly p99Ms: number[];
  /** Shares of the proxy's CPU time, in percent. */
  readonly busiest: number[];
  readonly second: number[];
}

/** What a flow costs with one worker and with two, on the same two cores and at the same rate. */
export function measureWorkers(stage: Stage, pairs: readonly Pair[]): Promise<Table[]> {
  return stage.scope.within(async scope => {
    const { rounds } = stage.extent;
    const players = await startPairs(scope, stage, pairs);
    await inRounds(rounds, players, async (who, round) => {
      stage.progress(`${who.name}, ${who.workers}: closed loop, round ${round} of ${rounds}`);
      const { flows, seconds } = await closedLoop(stage, who.running);
      who.perSecond.push(flows / seconds);
    });
    const slowest = Math.min(...players.map(({ perSecond }) => median(perSecond)));
    const rate = stage.extent.rate ?? Math.round((LOAD * slowest) / 100) * 100;
    await inRounds(rounds, players, async (who, round) => {
      stage.progress(`${who.name}, ${who.workers}: ${rate} flows/s, round ${round} of ${rounds}`);
      await openLoop(stage, who, rate);
    });
    return [costTable(stage, players, rate), scaleTable(players)];
  });
}

async function startPairs(scope: Scope, stage: Stage, pairs: readonly Pair[]): Promise<Player[]> {
  const players: Player[] = [];
  for (const { name, one, two } of pairs) {
    for (const [workers, proxy] of [
      ['1 worker', one],
      ['2 workers', two],
    ] as const) {
      if (stage.cast([proxy]).length === 0) continue;
      stage.progress(`${name}, ${workers}: starting and warming up`);
      const running = await stage.start(scope, proxy, { cores: stage.options.cores.scaling });
      await closedLoop(stage, running);
      players.push({
        name,
        workers,
        running,
        perSecond: [],
        cpuUs: [],
        p99Ms: [],
        busiest: [],
        second: [],
      });
    }
  }
  return players;
}

async function closedLoop(stage: Stage, running: Running): Promise<FlowsResult> {
  const { target } = running;
  const order = {
    type: 'closed',
    target,
    flows: stage.size(20_000, 300),
    concurrency: CONCURRENCY,
  } as const;
  return (await stage.watch(running, () => stage.load.flows(order))).result;
}

async function openLoop(stage: Stage, who: Player, rate: number): Promise<void> {
  const { target, pid } = who.running;
  const order = { type: 'open', target, flowsPerSecond: rate, seconds: stage.size(4, 0.2) } as const;
  const { result, activity } = await stage.watch(who.running, async () => {
    const threadsSince = startThreadClock(pid);
    return { flows: await stage.load.flows(order), threads: threadsSince() };
  });
  const { flows, threads } = result;
  if (flows.failed > 0) throw new Error(`${who.name}: ${flows.failed} of ${flows.flows} flows failed`);
  if (activity.proxy !== null) who.cpuUs.push((totalOf(activity.proxy) * 1e6) / flows.flows);
  who.p99Ms.push(flows.latencyUs.p99 / 1000);
  const all = threads.reduce((sum, seconds) => sum + seconds, 0);
  who.busiest.push(((threads[0] ?? 0) / all) * 100);
  who.second.push(((threads[1] ?? 0) / all) * 100);
}

function costTable({ options }: Stage, players: readonly Player[], rate: number): Table {
  const cores = options.cores.scaling.join(' and ');
  return {
    caption: `Open loop at ${rate} flows/s on cores ${cores}, and closed loop with ${CONCURRENCY} at a time.`,
    head: ['', 'CPU µs/flow', 'p99 ms', 'busiest thread %', 'second thread %', 'closed loop: flows/s'],
    rows: players.map(who => [
      `${who.name}, ${who.workers}`,
      figure(who.cpuUs, 1),
      figure(who.p99Ms, 2),
      figure(who.busiest, 0),
      figure(who.second, 0),
      figure(who.perSecond, 0),
    ]),
  };
}

function scaleTable(players: readonly Player[]): Table {
  const names = [...new Set(players.map(({ name }) => name))];
  return {
    caption:
      'What two workers could carry on two cores of their own, over what one carries on one: twice the cost of a flow with one over its cost with two.',
    head: ['', 'times'],
    rows: names.flatMap(name => {
      const [one, two] = players.filter(who => who.name === name).map(({ cpuUs }) => median(cpuUs));
      return one === undefined || two === undefined ? [] : [[name, ((2 * one) / two).toFixed(2)]];
    }),
  };
}
