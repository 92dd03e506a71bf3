import { readdirSync, readFileSync } from 'node:fs';

/** The processes that load the policy at this path now. */
export function loadersOf(path: string): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .filter(pid => {
      const args = commandOf(pid);
      const program = args.findIndex(arg => arg.endsWith('policy-process.js'));
      return program >= 0 && args[program + 1]?.includes(JSON.stringify(path)) === true;
    });
}

function commandOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
