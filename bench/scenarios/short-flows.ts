import type { FlowsResult, LoadOrder, Target } from '../load/orders.ts';
import type { Activity } from '../measure/activity.ts';
import { type CpuTime, totalOf } from '../measure/cpu.ts';
import { median } from '../measure/statistics.ts';
import type { Contestant } from '../proxies/contestant.ts';
import type { Running } from '../proxies/launch.ts';
import { type Cell, figure, type Table } from '../report/section.ts';
import { inRounds } from '../rounds.ts';
import type { Scope } from '../scope.ts';
import type { Stage } from '../stage.ts';

const CONCURRENCY = 64;
/** An open loop above this share of what a proxy can do at all would only measure its queue. */
const MAX_LOAD = 0.95;
const LOADS = [0.5, 0.8];

/** One measurement of short flows. */
interface Sample {
  readonly result: FlowsResult;
  readonly activity: Activity;
}

/** Someone who serves short flows: a proxy, or the backend itself. */
interface Player {
  readonly name: string;
  readonly running: Running | null;
  readonly target: Target;
  readonly closed: Sample[];
  readonly open: Map<number, Sample[]>;
}

export interface ShortFlowsOptions {
  readonly proxies: readonly Contestant[];
  /** Decides whether its saturation counts when rates are chosen. */
  readonly isSerious: (proxy: Contestant) => boolean;
  /** What the backend is asked without a proxy. */
  readonly opening?: Contestant['opening'];
  /** Rates of open loops, as shares of what the slowest serious player can do. */
  readonly loads?: readonly number[];
  /** Absent: as the stage does it. */
  readonly start?: (scope: Scope, proxy: Contestant) => Promise<Running>;
}

/**
 * Short flows in closed loop, which says what a proxy can do, and in open loop at rates that all of them must stand,
 * which says how long clients wait and what a flow costs at equal load.
 */
export function measureShortFlows(
  stage: Stage,
  { proxies, isSerious, opening = 'hello', loads = LOADS, start }: ShortFlowsOptions,
): Promise<Table[]> {
  return stage.scope.within(async scope => {
    const { rounds } = stage.extent;
    const players: Player[] = [player('no proxy', null, stage.direct(opening))];
    for (const proxy of stage.cast(proxies)) {
      stage.progress(`${proxy.name}: starting and warming up`);
      const running = await (start?.(scope, proxy) ?? stage.start(scope, proxy));
      players.push(player(proxy.name, running, running.target));
      await stage.load.flows(closedLoop(running.target, stage.size(20_000, 300)));
    }
    await inRounds(rounds, players, async (who, round) => {
      stage.progress(`${who.name}: closed loop, round ${round} of ${rounds}`);
      who.closed.push(await sample(stage, who, closedLoop(who.target, stage.size(20_000, 500))));
    });
    const given = stage.extent.rate;
    const rates = given === null ? ratesOf(loads, slowest(players, isSerious)) : [given];
    for (const rate of rates) {
      await inRounds(rounds, players, async (who, round) => {
        if (rate > MAX_LOAD * saturation(who)) return;
        stage.progress(`${who.name}: ${rate} flows/s, round ${round} of ${rounds}`);
        const order: LoadOrder = {
          type: 'open',
          target: who.target,
          flowsPerSecond: rate,
          leadSeconds: stage.size(0.5, 0),
          seconds: stage.size(2.5, 0.15),
        };
        const samples = who.open.get(rate) ?? [];
        samples.push(await sample(stage, who, order));
        who.open.set(rate, samples);
      });
    }
    return [closedTable(players), ...rates.map(rate => openTable(players, rate))];
  });
}

function player(name: string, running: Running | null, target: Target): Player {
  return { name, running, target, closed: [], open: new Map() };
}

function closedLoop(target: Target, flows: number): Extract<LoadOrder, { type: 'closed' }> {
  return { type: 'closed', target, flows, concurrency: CONCURRENCY };
}

async function sample(
  stage: Stage,
  { name, running }: Player,
  order: Extract<LoadOrder, { type: 'closed' | 'open' }>,
): Promise<Sample> {
  const taken = await stage.watch(running, () => stage.load.flows(order));
  const { failed, flows } = taken.result;
  if (failed > 0) throw new Error(`${name}: ${failed} of ${flows} flows failed`);
  return taken;
}

function saturation({ closed }: Player): number {
  return median(closed.map(({ result }) => result.flows / result.seconds));
}

function slowest(players: readonly Player[], isSerious: (proxy: Contestant) => boolean): number {
  const serious = players.filter(({ running }) => running !== null && isSerious(running.proxy));
  return Math.min(...(serious.length > 0 ? serious : players).map(saturation));
}

function ratesOf(loads: readonly number[], full: number): number[] {
  return loads.map(load => Math.round((load * full) / 100) * 100);
}

function closedTable(players: readonly Player[]): Table {
  return {
    caption: `Closed loop, ${CONCURRENCY} flows at a time: what it can do.`,
    head: ['', 'flows/s', 'CPU µs/flow', 'user', 'system', 'p50 ms', 'p99 ms', 'proxy %', 'load %'],
    rows: players.map(({ name, closed }) => [
      name,
      figure(
        closed.map(({ result }) => result.flows / result.seconds),
        0,
      ),
      ...cpuCells(closed),
      latency(closed, 'p50'),
      latency(closed, 'p99'),
      ...shareCells(closed),
    ]),
  };
}

function openTable(players: readonly Player[], rate: number): Table {
  return {
    caption: `Open loop, ${rate} flows/s for all: what a flow costs and how long it takes from its scheduled start to the first byte of the answer.`,
    head: ['', 'CPU µs/flow', 'user', 'system', 'p50 ms', 'p99 ms', 'p99.9 ms', 'proxy %', 'load %'],
    rows: players.map(who => {
      const samples = who.open.get(rate) ?? [];
      if (samples.length === 0) return [who.name, `saturates at ${saturation(who).toFixed(0)}/s`];
      return [
        who.name,
        ...cpuCells(samples),
        latency(samples, 'p50'),
        latency(samples, 'p99'),
        latency(samples, 'p999'),
        ...shareCells(samples),
      ];
    }),
  };
}

function cpuCells(samples: readonly Sample[]): Cell[] {
  const perFlow = (pick: (cpu: CpuTime) => number) =>
    figure(
      samples.map(({ activity, result }) =>
        activity.proxy === null ? Number.NaN : (pick(activity.proxy) * 1e6) / result.flows,
      ),
      1,
    );
  return [perFlow(totalOf), perFlow(({ user }) => user), perFlow(({ system }) => system)];
}

function shareCells(samples: readonly Sample[]): Cell[] {
  const percent = (pick: (activity: Activity) => number) =>
    figure(
      samples.map(({ activity }) => pick(activity) * 100),
      0,
    );
  return [percent(({ proxyShare }) => proxyShare), percent(({ loadShare }) => loadShare)];
}

function latency(samples: readonly Sample[], quantile: 'p50' | 'p99' | 'p999'): Cell {
  return figure(
    samples.map(({ result }) => result.latencyUs[quantile] / 1000),
    2,
  );
}
