import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { endOf } from '../agent.ts';
import { processTree } from './process-tree.ts';

const STRACE = 'strace';
const ATTACH_TIMEOUT_MS = 5_000;

/** Counts the system calls of a process tree while `work` runs, by name. `file` is where strace writes. */
export async function countSystemCalls(
  pid: number,
  file: string,
  work: () => Promise<void>,
): Promise<ReadonlyMap<string, number>> {
  const pids = processTree(pid).flatMap(one => ['-p', String(one)]);
  const strace = spawn(STRACE, ['-c', '-f', '-U', 'calls,name', '-o', file, ...pids], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  try {
    await untilAttached(strace.stderr);
    await work();
  } finally {
    await endOf(strace, 'SIGINT');
  }
  return parseSummary(readFileSync(file, 'utf8'));
}

/** Why there is no counting here, or null. */
export async function straceObstacle(): Promise<string | null> {
  const strace = spawn(STRACE, ['-c', '-o', '/dev/null', 'true'], { stdio: 'ignore' });
  const [code] = await Promise.race([once(strace, 'exit'), once(strace, 'error').then(() => [null])]);
  if (code === null) return 'strace is not installed';
  return code === 0 ? null : 'strace may not trace here';
}

/** strace says `Process 7 attached`, of every process before it looks at any of their threads' calls. */
async function untilAttached(stderr: NodeJS.ReadableStream): Promise<void> {
  const said = once(stderr, 'data');
  const timeout = sleep(ATTACH_TIMEOUT_MS).then(() => {
    throw new Error('strace did not attach');
  });
  await Promise.race([said, timeout]);
}

/** `     1234 epoll_wait`, between lines of hyphens, and a total at the end. */
function parseSummary(text: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, calls, name] = /^\s*(\d+)\s+(\w+)$/.exec(line) ?? [];
    if (calls !== undefined && name !== undefined && name !== 'total') counts.set(name, Number(calls));
  }
  return counts;
}
