import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PEERS = fileURLToPath(new URL('../../bench/peers/', import.meta.url));
const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** A proxy under test. `port` null: no proxy, the backend itself. */
export interface Contestant {
  readonly name: string;
  /** Files of bench/peers that it needs, and the command that runs it in their directory. */
  readonly files: readonly string[];
  readonly command: (dir: string) => readonly string[];
  readonly variables?: Readonly<Record<string, string>>;
  readonly binary: string;
}

const sallyport = (dataplane: string): Contestant => ({
  name: `sallyport ${dataplane}`,
  files: ['sallyport.yaml', 'policy.yaml'],
  command: dir => [process.execPath, MAIN, 'run', '-c', join(dir, 'sallyport.yaml')],
  variables: { DATAPLANE: dataplane },
  binary: process.execPath,
});

export const PROXIES: readonly Contestant[] = [
  sallyport('epoll'),
  {
    name: 'haproxy',
    files: ['haproxy.cfg'],
    command: dir => ['/usr/sbin/haproxy', '-db', '-f', join(dir, 'haproxy.cfg')],
    binary: '/usr/sbin/haproxy',
  },
  {
    name: 'nginx',
    files: ['nginx.conf'],
    command: dir => ['/usr/sbin/nginx', '-c', join(dir, 'nginx.conf')],
    binary: '/usr/sbin/nginx',
  },
  {
    name: 'sniproxy',
    files: ['sniproxy.conf'],
    command: dir => ['/usr/sbin/sniproxy', '-f', '-c', join(dir, 'sniproxy.conf')],
    binary: '/usr/sbin/sniproxy',
  },
  sallyport('portable'),
];

export function isInstalled(proxy: Contestant): boolean {
  return existsSync(proxy.binary);
}

/** Starts a proxy on `port`, pinned to `core`, and waits until it accepts. */
export async function startProxy(
  proxy: Contestant,
  options: { dir: string; port: number; backend: number; core: number },
): Promise<ChildProcess> {
  const dir = join(options.dir, proxy.name.replace(' ', '-'));
  mkdirSync(dir, { recursive: true });
  const values: Record<string, string> = {
    PORT: String(options.port),
    BACKEND: String(options.backend),
    DIR: dir,
    ...proxy.variables,
  };
  for (const file of proxy.files) {
    const text = readFileSync(join(PEERS, file), 'utf8').replace(
      /@([A-Z]+)@/g,
      (_, name) => values[name] ?? '',
    );
    writeFileSync(join(dir, file), text);
  }
  const child = spawn('taskset', ['-c', String(options.core), ...proxy.command(dir)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  while (!(await accepts(options.port))) {
    if (child.exitCode !== null)
      throw new Error(`${proxy.name} ended with ${child.exitCode} before it listened`);
  }
  return child;
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => setTimeout(resolve, 20, false));
  });
}
