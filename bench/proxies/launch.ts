import { type ChildProcess, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endOf } from '../agent.ts';
import { pinned } from '../cores.ts';
import type { Target } from '../load/orders.ts';
import type { Contestant } from './contestant.ts';

const PEERS = fileURLToPath(new URL('../../../bench/peers/', import.meta.url));
const STOP_TIMEOUT_MS = 3_000;
const START_TIMEOUT_MS = 20_000;
/** A hello every so often until one is answered: the grain of `readyMs`. */
const PROBE_PAUSE_MS = 2;

/** A proxy that runs. */
export interface Running {
  readonly proxy: Contestant;
  readonly pid: number;
  readonly target: Target;
  /** Where sallyport serves its metrics and API. */
  readonly adminPort: number;
  readonly backend: LaunchOptions['backend'];
  /** A directory for what it writes, */
  readonly dir: string;
  /** and that of its configuration. */
  readonly configDir: string;
  /** From its start to the first answered flow. */
  readonly readyMs: number;
  /** Empties its log, which would fill the disk in the long run. */
  trimLog(): void;
  stop(): Promise<void>;
}

export interface LaunchOptions {
  readonly dir: string;
  readonly cores: readonly number[];
  /** Free, and the next two. */
  readonly port: number;
  /** The addresses that its clients dial. */
  readonly hosts: readonly string[];
  /** The port that its clients dial; absent: its own. */
  readonly dialPort?: number;
  readonly backend: { readonly host: string; readonly port: number };
  /** Sends a flow and says whether it was answered. */
  readonly isAnswered: (target: Target) => Promise<boolean>;
  /** Goes before the command: `ip netns exec NAME`. */
  readonly prefix?: readonly string[];
  /** Where its standard output goes instead of to a file; stays the caller's. */
  readonly logFd?: number;
}

export function isInstalled({ binary }: Contestant): boolean {
  return existsSync(binary);
}

/** Starts a proxy and waits until a flow through it is answered. */
export async function launch(proxy: Contestant, options: LaunchOptions): Promise<Running> {
  const { dir, port, backend } = options;
  // Apart from the logs: some proxies watch the directory of their configuration.
  const config = join(dir, 'config');
  mkdirSync(config, { recursive: true });
  writeFiles(proxy, config, {
    PORT: String(port),
    CONNECTPORT: String(port + 1),
    ADMINPORT: String(port + 2),
    BACKEND: `${backend.host}:${backend.port}`,
    BACKENDHOST: backend.host,
    BACKENDPORT: String(backend.port),
    HOSTS: options.hosts.join(', '),
    DIR: dir,
    ...proxy.values,
  });
  const isConnect = proxy.opening === 'connect';
  const target: Target = {
    hosts: options.hosts,
    port: options.dialPort ?? (isConnect && proxy.software === 'sallyport' ? port + 1 : port),
    connectTo: isConnect ? backend.port : null,
  };
  const log = join(dir, 'stdout.log');
  const fd = options.logFd ?? openSync(log, 'a');
  const [command = '', ...args] = [
    ...(options.prefix ?? []),
    ...pinned(options.cores),
    ...proxy.command(config),
  ];
  const begunMs = performance.now();
  const child = spawn(command, args, {
    cwd: dir,
    stdio: ['ignore', fd, openSync(join(dir, 'stderr.log'), 'a')],
  });
  if (options.logFd === undefined) closeSync(fd);
  const stop = () => stopped(child);
  try {
    await untilAnswered(child, () => options.isAnswered(target));
  } catch (error) {
    await stop();
    const said = readFileSync(join(dir, 'stderr.log'), 'utf8');
    throw new Error(
      `${proxy.name} did not start: ${error instanceof Error ? error.message : error}\n${said}`,
    );
  }
  return {
    proxy,
    pid: child.pid ?? 0,
    target,
    adminPort: port + 2,
    backend,
    dir,
    configDir: config,
    readyMs: performance.now() - begunMs,
    trimLog: () => {
      if (existsSync(log)) truncateSync(log);
    },
    stop,
  };
}

function writeFiles(proxy: Contestant, dir: string, values: Readonly<Record<string, string>>): void {
  for (const file of proxy.files) {
    const template = readFileSync(join(PEERS, file), 'utf8');
    const text = template.replace(/@([A-Z]+)@/g, (placeholder, name) => {
      const value = values[name];
      if (value === undefined) throw new Error(`bench/peers/${file}: nothing to put for ${placeholder}`);
      return value;
    });
    writeFileSync(join(dir, file), text);
  }
}

async function untilAnswered(child: ChildProcess, isAnswered: () => Promise<boolean>): Promise<void> {
  const giveUpMs = performance.now() + START_TIMEOUT_MS;
  while (!(await isAnswered())) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`it ended with ${child.exitCode ?? child.signalCode}`);
    }
    if (performance.now() > giveUpMs) throw new Error(`no answer in ${START_TIMEOUT_MS / 1000} s`);
    await new Promise(resolve => setTimeout(resolve, PROBE_PAUSE_MS));
  }
}

/** Politely first: some proxies have processes of their own to end. */
async function stopped(child: ChildProcess): Promise<void> {
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await endOf(child, 'SIGTERM');
  clearTimeout(timer);
}
