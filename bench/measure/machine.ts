import { execFileSync, type StdioOptions } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { arch, cpus, release, totalmem } from 'node:os';

const ROOT = new URL('../../../', import.meta.url);

/** What a result was measured on. */
export type Machine = Readonly<Record<string, string>>;

export function describeMachine(): Machine {
  const [cpu] = cpus();
  return {
    CPU: `${cpu?.model.trim() ?? 'unknown'}, ${cpus().length} cores, ${arch()}${isVirtual() ? ', virtual machine' : ''}`,
    memory: `${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
    kernel: release(),
    'Node.js': process.version,
    HAProxy: firstLine('/usr/sbin/haproxy', ['-v']),
    nginx: firstLine('/usr/sbin/nginx', ['-v']),
    sniproxy: firstLine('/usr/sbin/sniproxy', ['-V']),
  };
}

function isVirtual(): boolean {
  return /^flags\s*:.*\bhypervisor\b/m.test(readFileSync('/proc/cpuinfo', 'latin1'));
}

/** `0.1.0, commit 1bb5695`; outside of a checkout only the version. */
export function describeBuild(): string {
  const { version } = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8'));
  try {
    const stdio: StdioOptions = ['ignore', 'pipe', 'ignore'];
    const args = ['rev-parse', '--short', 'HEAD'];
    return `${version}, commit ${execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio }).trim()}`;
  } catch {
    return version;
  }
}

/** nginx says its version on standard error. */
function firstLine(command: string, args: readonly string[]): string {
  try {
    const text = execFileSync('sh', ['-c', '"$@" 2>&1', 'sh', command, ...args], { encoding: 'utf8' });
    return text.split('\n')[0]?.replace(/ - https.*/, '') ?? '';
  } catch {
    return 'not installed';
  }
}
