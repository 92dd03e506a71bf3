import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Kernel } from '../../src/gateway/kernel.ts';
import { sallyport } from '../cli/support.ts';
import type { Lab } from './lab.ts';
import type { RunResult } from './namespaces.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** No rules, for a lab whose gateway gets them from `sallyport netfilter`. */
export const NO_RULES = '';

/** `sallyport netfilter` on the gateway of a lab. */
export async function netfilter(lab: Lab, config: string, ...options: readonly string[]): Promise<RunResult> {
  return lab.run('gateway', process.execPath, [MAIN, 'netfilter', '-c', config, ...options]);
}

/** Lets a program of the gateway read what `sallyport netfilter` prints, from a file. Throws when it fails. */
export async function loadNetfilter(
  lab: Lab,
  config: string,
  options: readonly string[] = [],
  loader = 'nft -f',
): Promise<void> {
  const { code, out, err } = await sallyport(['netfilter', '-c', config, ...options]);
  if (code !== 0) throw new Error(err);
  await loadText(lab, out, loader);
}

/** The same with any text. */
export async function loadText(lab: Lab, text: string, loader: string): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-netfilter-'));
  try {
    const file = join(directory, 'rules');
    writeFileSync(file, text);
    await gatewayShell(lab, `${loader} ${file}`);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Runs a shell command line on the gateway, and gives back what it printed. Throws when it fails or complains. */
export async function gatewayShell(lab: Lab, line: string, args: readonly string[] = []): Promise<string> {
  const { code, stdout, stderr } = await lab.run('gateway', 'sh', ['-c', line, 'sh', ...args]);
  if (code !== 0 || stderr !== '') throw new Error(`${line}: ${code}: ${stderr}`);
  return stdout;
}

/** Everything that a ruleset or its policy routing could leave behind. */
export async function residue(lab: Lab): Promise<string> {
  const listings = [
    'nft list ruleset',
    ...['-4', '-6'].flatMap(family => [`ip ${family} rule`, `ip ${family} route show table all`]),
  ];
  // The kernel refreshes what it has learned by itself; routes of local tables hold still.
  return gatewayShell(lab, listings.join(' && '));
}

/** The gateway's own kernel, for the checks. */
export function gatewayKernel(lab: Lab): Kernel {
  const run = async (command: string, args: readonly string[]) => {
    const { code, stdout, stderr } = await lab.run('gateway', command, args);
    return { ok: code === 0, isMissing: false, stdout, complaint: stderr.trim() };
  };
  return {
    run,
    sysctl: async key => {
      const { ok, stdout } = await run('cat', [`/proc/sys/${key}`]);
      return ok ? stdout.trim() : null;
    },
    interfaces: async () => (await run('ls', ['/proc/sys/net/ipv4/conf'])).stdout.trim().split('\n'),
  };
}

/** A configuration file with one transparent listener and these keys, in a directory. */
export function writeConfig(
  directory: string,
  listener: Readonly<Record<string, unknown>>,
  netfilterKeys: Readonly<Record<string, unknown>> = {},
): string {
  const file = join(directory, 'sallyport.yaml');
  const base = { name: 'gw', kind: 'transparent', intercept: 'redirect', address: '[::]:15443' };
  const config = { version: 1, listeners: [{ ...base, ...listener }], netfilter: netfilterKeys };
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(config));
  return file;
}
