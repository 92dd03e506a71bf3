import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../support/until.ts';
import {
  compareBytes,
  compareFlows,
  compareMetrics,
  compareSites,
  difference,
  type Finding,
  faultsOf,
} from './compare.ts';
import { Crowd, type Lived } from './crowd.ts';
import { type MemorySample, type MemoryTrend, memoryTrend } from './memory.ts';
import type { SoakOptions } from './options.ts';
import { RecordReader } from './records.ts';
import { type Descriptors, Subject, WORKERS } from './subject.ts';
import { Town } from './town.ts';

const SAMPLE_MS = 1_000;
const POLICY_MS = 3_000;
/** Every so many policies is a broken one. */
const BROKEN_EVERY = 3;
/** Flows that wait for the longest timeout, DNS that does not answer, end within this. */
const LAST_FLOWS_MS = 90_000;
const SETTLE_MS = 2_000;
/** Empty pipes that each worker of the epoll plane keeps for the next bulk flow, of two descriptors each. */
const POOLED_PIPES = 16;
/**
 * What the lows of memory may grow by, by 100 000 flows. They scatter by some MiB with the collector; but one object
 * left behind a flow, in a Map, would be 5 at least.
 */
export const MAX_SLOPE_MIB = 2.5;
/** And by how much the low of the last quarter may lie over that of the first. */
export const MAX_GROWTH_MIB = 24;

export interface SoakResult {
  readonly connections: number;
  readonly seconds: number;
  readonly lived: readonly Lived[];
  readonly records: number;
  readonly policies: { readonly good: number; readonly broken: number };
  readonly restarts: number;
  readonly dnsQueries: number;
  readonly descriptors: { readonly before: Descriptors; readonly after: Descriptors };
  readonly residentMib: { readonly before: number; readonly after: number };
  readonly memory: MemoryTrend;
  readonly exitCode: number | null;
  /** What does not agree; empty when all is well. */
  readonly findings: readonly Finding[];
}

/** Runs the soak. `main`: the built program. `progress` hears how far it is. */
export async function soak(
  options: Omit<SoakOptions, 'help' | 'report'>,
  main: string,
  progress: (text: string) => void,
): Promise<SoakResult> {
  const town = await Town.build();
  const subject = await Subject.start(main, options.dataplane, town).catch(async error => {
    await town.close();
    throw error;
  });
  try {
    return await soakSubject(options, town, subject, progress);
  } finally {
    await subject.remove();
    await town.close();
  }
}

async function soakSubject(
  { flows, seconds, seed, dataplane, width }: Omit<SoakOptions, 'help' | 'report'>,
  town: Town,
  subject: Subject,
  progress: (text: string) => void,
): Promise<SoakResult> {
  const records = new RecordReader(subject.logPath);
  const doors = { tls: subject.tls, proxy: subject.proxy, upstream: town.port };
  const crowd = new Crowd(doors, dataplane, seed);
  await crowd.each();
  await until('the first flows have ended', async () => (await subject.openFlows()) === 0, LAST_FLOWS_MS);
  await sleep(SETTLE_MS);
  const before = { descriptors: subject.descriptors(), mib: subject.residentMiB() };

  const begunMs = performance.now();
  const elapsed = () => (performance.now() - begunMs) / 1_000;
  const findings: Finding[] = [];
  const samples: MemorySample[] = [];
  const policies = { good: 0, broken: 0 };
  let isRunning = true;
  const isOver = () => (seconds !== null && elapsed() > seconds) || !subject.isRunning;
  const watching = every(
    SAMPLE_MS,
    () => isRunning && subject.isRunning,
    async () => {
      samples.push({ flows: crowd.ended, mib: subject.residentMiB() });
      progress(
        `${crowd.ended} of ${flows} flows, ${Math.round(crowd.ended / elapsed())}/s, ${subject.residentMiB().toFixed(0)} MiB, ${subject.descriptors().all} descriptors, ${crowd.faulty} faults`,
      );
    },
  );
  const changing = every(
    POLICY_MS,
    () => isRunning && subject.isRunning,
    async () => {
      const isGood = (policies.good + policies.broken) % BROKEN_EVERY !== BROKEN_EVERY - 1;
      policies[isGood ? 'good' : 'broken']++;
      const found = await subject.changePolicy(isGood);
      if (found !== null) findings.push({ what: 'reload', expected: 'taken or refused', found });
    },
  );
  await crowd.run(flows, width, isOver);
  isRunning = false;
  const ranFor = elapsed();
  await Promise.all([watching, changing]);
  town.calm();

  await until('the last flow has ended', async () => (await subject.openFlows()) === 0, LAST_FLOWS_MS);
  await sleep(SETTLE_MS);
  const after = { descriptors: subject.descriptors(), mib: subject.residentMiB() };
  const memory = memoryTrend(samples);
  const { logLinesDropped } = await subject.status();
  await until('the last record is read', () => records.open === 0, LAST_FLOWS_MS).catch(() => {});
  const metrics = [...(await compareMetrics(records, subject)), ...(await compareSites(records, subject))];
  const exitCode = await subject.stop();
  await records.end();
  findings.push(
    ...faultsOf(crowd, records),
    ...compareFlows(crowd.lived, records),
    ...compareBytes(crowd.lived, records, town),
    ...metrics,
    ...difference('flows without a close record', 0, records.open),
    ...difference('log lines dropped', 0, logLinesDropped),
    ...difference('exit code', 0, exitCode ?? -1),
    ...(subject.errors === '' ? [] : [{ what: 'stderr', expected: 'nothing', found: subject.errors }]),
    ...leftBehind(before.descriptors, after.descriptors),
    ...grown(memory),
  );
  return {
    connections: crowd.started,
    seconds: ranFor,
    lived: crowd.lived,
    records: records.total.flows,
    policies,
    restarts: town.restarts,
    dnsQueries: town.dns.queries.length,
    descriptors: { before: before.descriptors, after: after.descriptors },
    residentMib: { before: before.mib, after: after.mib },
    memory,
    exitCode,
    findings,
  };
}

function leftBehind(before: Descriptors, after: Descriptors): Finding[] {
  const pooled = 2 * POOLED_PIPES * WORKERS;
  const others = ({ all, pipes }: Descriptors) => all - pipes;
  return [
    ...atMost('descriptors that are no pipes', others(before), others(after)),
    ...atMost('pipes', before.pipes + pooled, after.pipes),
  ];
}

function grown({ slope, earlyMib, lateMib }: MemoryTrend): Finding[] {
  if (slope === null) return [];
  return [
    ...atMost('slope of memory, MiB by 100 000 flows', MAX_SLOPE_MIB, slope),
    ...atMost('growth of the low of memory, MiB', MAX_GROWTH_MIB, lateMib - earlyMib),
  ];
}

function atMost(what: string, most: number, found: number): Finding[] {
  return found <= most ? [] : [{ what, expected: `${most} at most`, found: String(found) }];
}

/** Acts at intervals for as long as `isOn`. */
async function every(ms: number, isOn: () => boolean, act: () => Promise<void>): Promise<void> {
  while (isOn()) {
    await act();
    await sleep(ms);
  }
}
