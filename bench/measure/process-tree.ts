import { readdirSync, readFileSync } from 'node:fs';

/** A process and everything it has started, children before grandchildren. A process that is gone counts for nothing. */
export function processTree(pid: number): number[] {
  const children = threadsOf(pid).flatMap(thread => numbers(read(`/proc/${pid}/task/${thread}/children`)));
  return [pid, ...children.flatMap(processTree)];
}

export function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** The text of a file under /proc; empty when what it is about has ended. */
export function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function numbers(text: string): number[] {
  return text.split(' ').filter(Boolean).map(Number);
}
