import { execFileSync } from 'node:child_process';

/** Cores by number, as `taskset` takes them. */
export interface Cores {
  /** The core of the proxy under test. */
  readonly proxy: readonly number[];
  readonly load: readonly number[];
  readonly backend: readonly number[];
  /** Two cores for a proxy with two workers; shared with the load where there are only two. */
  readonly scaling: readonly number[];
}

/** Allots the cores that this process may use. Throws when there are fewer than two. */
export function allotCores(): Cores {
  const [proxy, load, backend = load, second = load] = allowedCores();
  if (proxy === undefined || load === undefined || backend === undefined || second === undefined) {
    throw new Error('needs two cores: one for the proxy, one for the load');
  }
  return { proxy: [proxy], load: [load], backend: [backend], scaling: [proxy, second] };
}

/** Keeps this process, which does little, off the proxy's core. */
export function pinSelf(cores: readonly number[]): void {
  execFileSync('taskset', ['-apc', cores.join(','), String(process.pid)], { stdio: 'ignore' });
}

/** Goes before a command: pins it, and ends it when this process ends, however that comes about. */
export function pinned(cores: readonly number[]): string[] {
  return ['setpriv', '--pdeathsig', 'KILL', 'taskset', '-c', cores.join(',')];
}

/** `pid 7's current affinity list: 0-2,5` */
function allowedCores(): number[] {
  const said = execFileSync('taskset', ['-cp', String(process.pid)], { encoding: 'utf8' });
  const list = said.slice(said.lastIndexOf(':') + 1).trim();
  return list.split(',').flatMap(range => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}
