import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const PROXY_VARIABLES = /^(https?|all|no)_proxy$/i;

/** Runs a program to its end, without the proxy variables of this environment. It is killed when the test process ends. */
export async function runCommand(
  command: string,
  args: readonly string[],
  { env = {}, input = '' }: { env?: NodeJS.ProcessEnv; input?: string } = {},
): Promise<CommandResult> {
  const inherited = Object.entries(process.env).filter(([name]) => !PROXY_VARIABLES.test(name));
  const child = spawn(command, args, { env: { ...Object.fromEntries(inherited), ...env } });
  const killOnExit = () => child.kill('SIGKILL');
  process.once('exit', killOnExit);
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code] = await once(child, 'close');
  process.off('exit', killOnExit);
  return { code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() };
}

/** Whether a program is there to be run. */
export function hasCommand(command: string): boolean {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).error === undefined;
}
