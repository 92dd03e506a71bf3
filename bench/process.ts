import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const TICKS_A_SECOND = 100;

/** User and system CPU seconds of a process with all its threads, at the kernel's 10 ms grain. */
export function cpuSeconds(pid: number): { user: number; system: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { user: Number(fields[11]) / TICKS_A_SECOND, system: Number(fields[12]) / TICKS_A_SECOND };
}

/** Starts one of the agents, pinned to `core`. */
export function startAgent(
  name: 'backend' | 'load',
  core: number,
  args: readonly string[] = [],
): ChildProcess {
  const file = fileURLToPath(new URL(`./agents/${name}.js`, import.meta.url));
  return fork(file, [...args], { execPath: 'taskset', execArgv: ['-c', String(core), process.execPath] });
}

/** The first message of an agent. Rejects when it ends without one. */
export async function messageOf<T>(child: ChildProcess): Promise<T> {
  const [message] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`the agent ended with ${code} and said nothing`);
    }),
  ]);
  return message as T;
}

export async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
