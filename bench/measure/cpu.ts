import { processTree, read, threadsOf } from './process-tree.ts';

/** sysconf(_SC_CLK_TCK), which Linux has fixed for user space. */
const TICKS_A_SECOND = 100;

/** CPU seconds of a process tree, all threads. */
export interface CpuTime {
  readonly user: number;
  readonly system: number;
}

/**
 * Measures from now on: the returned function says what was used since. The sum is the scheduler's own, to the
 * nanosecond; its split into user and system time follows the kernel's tick counters, which are samples.
 */
export function startCpuClock(pid: number): () => CpuTime {
  const before = reading(pid);
  return () => {
    const after = reading(pid);
    const total = after.total - before.total;
    const [user, system] = [after.user - before.user, after.system - before.system];
    const userShare = user + system > 0 ? user / (user + system) : 0;
    return { user: total * userShare, system: total * (1 - userShare) };
  };
}

export function totalOf({ user, system }: CpuTime): number {
  return user + system;
}

/** Measures from now on: the returned function gives the CPU seconds of each thread of a process since, most first. */
export function startThreadClock(pid: number): () => number[] {
  const before = new Map(threadsOf(pid).map(thread => [thread, threadSeconds(pid, thread)]));
  return () =>
    threadsOf(pid)
      .map(thread => threadSeconds(pid, thread) - (before.get(thread) ?? 0))
      .sort((a, b) => b - a);
}

function threadSeconds(pid: number, thread: string): number {
  return Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0]) / 1e9;
}

function reading(root: number): CpuTime & { total: number } {
  let [total, user, system] = [0, 0, 0];
  for (const pid of processTree(root)) {
    for (const thread of threadsOf(pid)) total += threadSeconds(pid, thread);
    const stat = read(`/proc/${pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    user += Number(fields[11]) / TICKS_A_SECOND;
    system += Number(fields[12]) / TICKS_A_SECOND;
  }
  return { total, user, system };
}
