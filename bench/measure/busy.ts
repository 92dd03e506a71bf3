import { readFileSync } from 'node:fs';

/** Measures from now on: the returned function says which share of the time since then the cores were busy, 0 to 1. */
export function startBusyClock(cores: readonly number[]): () => number {
  const before = ticks(cores);
  return () => {
    const after = ticks(cores);
    const all = after.all - before.all;
    return all > 0 ? 1 - (after.idle - before.idle) / all : Number.NaN;
  };
}

/** `cpuN user nice system idle iowait irq softirq steal …` */
function ticks(cores: readonly number[]): { all: number; idle: number } {
  let [all, idle] = [0, 0];
  for (const line of readFileSync('/proc/stat', 'latin1').split('\n')) {
    const [name, ...fields] = line.split(' ');
    if (!cores.some(core => name === `cpu${core}`)) continue;
    const counts = fields.slice(0, 8).map(Number);
    all += counts.reduce((sum, count) => sum + count, 0);
    idle += (counts[3] ?? 0) + (counts[4] ?? 0);
  }
  return { all, idle };
}
