import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';

export interface Ran {
  readonly ok: boolean;
  /** There is no such program. */
  readonly isMissing: boolean;
  readonly stdout: string;
  /** What it, or the system, complained of, in one line. */
  readonly complaint: string;
}

/** What the checks ask of the running system. */
export interface Kernel {
  run(command: string, args: readonly string[]): Promise<Ran>;
  /** `net/ipv4/ip_forward`; null when there is no such setting. */
  sysctl(key: string): Promise<string | null>;
  interfaces(): Promise<readonly string[]>;
}

/** A ruleset of many thousand exceptions is a few MiB of JSON. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
const TIMEOUT_MS = 20_000;

export const systemKernel: Kernel = {
  run: (command, args) =>
    new Promise(resolve => {
      const limits = {
        maxBuffer: MAX_OUTPUT_BYTES,
        timeout: TIMEOUT_MS,
        env: { ...process.env, LC_ALL: 'C' },
      };
      execFile(command, [...args], limits, (error, stdout, stderr) => {
        const isMissing = error !== null && error.code === 'ENOENT';
        const said = stderr.trim() === '' ? (error?.message ?? '') : stderr;
        const complaint = isMissing ? `${command} is not in PATH` : said.trim().replace(/\s+/g, ' ');
        resolve({ ok: error === null, isMissing, stdout, complaint });
      });
    }),
  sysctl: async key => {
    try {
      return (await readFile(`/proc/sys/${key}`, 'utf8')).trim();
    } catch {
      return null;
    }
  },
  interfaces: async () => {
    try {
      return await readdir('/proc/sys/net/ipv4/conf');
    } catch {
      return [];
    }
  },
};
