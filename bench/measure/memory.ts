import { processTree, read } from './process-tree.ts';

/** Memory of a process tree in KiB. */
export interface Memory {
  /** Proportional set size: pages that several processes share count in parts. */
  readonly pss: number;
  readonly rss: number;
}

export function memoryOf(root: number): Memory {
  let [pss, rss] = [0, 0];
  for (const pid of processTree(root)) {
    const text = read(`/proc/${pid}/smaps_rollup`);
    pss += field(text, 'Pss');
    rss += field(text, 'Rss');
  }
  return { pss, rss };
}

function field(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
}
