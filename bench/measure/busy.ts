import { read } from './process-tree.ts';

const TICKS_A_SECOND = 100;

/** Measures from now on: the returned function says for how many seconds in all these cores have been busy since. */
export function startBusyClock(cores: readonly number[]): () => number {
  const before = busySeconds(cores);
  return () => busySeconds(cores) - before;
}

/** `cpuN user nice system idle iowait irq softirq steal …` */
function busySeconds(cores: readonly number[]): number {
  const names = new Set(cores.map(core => `cpu${core}`));
  let ticks = 0;
  for (const line of read('/proc/stat').split('\n')) {
    const [name = '', ...fields] = line.split(' ');
    if (!names.has(name)) continue;
    const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = fields.map(Number);
    ticks += user + nice + system + irq + softirq;
  }
  return ticks / TICKS_A_SECOND;
}
