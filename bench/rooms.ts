import { execFileSync } from 'node:child_process';
import type { Scope } from './scope.ts';
import type { Place } from './stage.ts';

/** A documentation range (RFC 5737), which no destination guard minds. */
const CLIENT_NET = '192.0.2';
const SERVER_NET = '198.51.100';
const SERVER_PORT = 443;
/** Addresses of the server that one proxy's clients dial: a /28. */
const BLOCK = 16;

type Room = 'client' | 'gateway' | 'server';

/** Why there can be no rooms here, or null. */
export function roomsObstacle(): string | null {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  for (const [command, flag] of [
    ['ip', '-V'],
    ['nft', '-v'],
  ] as const) {
    try {
      execFileSync(command, [flag], { stdio: 'ignore' });
    } catch {
      return `${command} is not installed`;
    }
  }
  return null;
}

/**
 * Three network namespaces in a row over veth pairs, client – gateway – server. The gateway routes, and redirects where
 * it is told to. Removed with the scope.
 */
export class Rooms {
  readonly #id = `sallyport-bench-${process.pid}`;

  constructor(scope: Scope) {
    scope.add(() => this.#remove());
    for (const room of ['client', 'gateway', 'server'] as const) {
      run('ip', ['netns', 'add', this.#name(room)]);
      this.#ip(room, 'link', 'set', 'lo', 'up');
      // Ports in TIME_WAIT come back after a second, as they do on loopback.
      this.#setKernel(room, 'net/ipv4/tcp_tw_reuse', 1);
    }
    this.#link('client', 'lan', CLIENT_NET, ['2']);
    this.#link('server', 'wan', SERVER_NET, Array.from({ length: 254 }, (_, i) => String(i + 1)).slice(1));
    this.#setKernel('gateway', 'net/ipv4/ip_forward', 1);
    this.#exec('gateway', 'nft', [
      'add table inet bench; add chain inet bench prerouting { type nat hook prerouting priority dstnat; }',
    ]);
    // Ended flows are not to fill the table of connections.
    this.#setKernel('gateway', 'net/netfilter/nf_conntrack_tcp_timeout_time_wait', 1);
  }

  get place(): Place {
    return {
      load: this.#prefix('client'),
      backend: this.#prefix('server'),
      proxy: this.#prefix('gateway'),
      backendPort: SERVER_PORT,
      hosts: this.hosts(0),
    };
  }

  /** The server's addresses for the nth contestant; the first ones are not redirected. */
  hosts(n: number): string[] {
    const first = n === 0 ? 2 : n * BLOCK;
    return Array.from({ length: n === 0 ? BLOCK - 2 : BLOCK }, (_, i) => `${SERVER_NET}.${first + i}`);
  }

  /** From now on, what the client means for the nth contestant's addresses arrives at `port` of the gateway. */
  redirect(n: number, port: number): void {
    this.#exec('gateway', 'nft', [
      `add rule inet bench prerouting ip daddr ${SERVER_NET}.${n * BLOCK}/28 tcp dport ${SERVER_PORT} redirect to :${port}`,
    ]);
  }

  #link(room: Room, device: string, net: string, hosts: readonly string[]): void {
    this.#ip(
      room,
      'link',
      'add',
      'eth0',
      'type',
      'veth',
      'peer',
      'name',
      device,
      'netns',
      this.#name('gateway'),
    );
    const addresses = hosts.map(host => `address add ${net}.${host}/24 dev eth0\n`).join('');
    run('ip', ['-n', this.#name(room), '-batch', '-'], addresses);
    this.#ip(room, 'link', 'set', 'eth0', 'up');
    this.#ip('gateway', 'address', 'add', `${net}.1/24`, 'dev', device);
    this.#ip('gateway', 'link', 'set', device, 'up');
    this.#ip(room, 'route', 'add', 'default', 'via', `${net}.1`);
  }

  #setKernel(room: Room, key: string, value: number): void {
    this.#exec(room, 'sh', ['-c', `echo ${value} > /proc/sys/${key}`]);
  }

  #remove(): void {
    const existing = run('ip', ['netns', 'list']);
    for (const room of ['client', 'gateway', 'server'] as const) {
      if (existing.includes(this.#name(room))) run('ip', ['netns', 'delete', this.#name(room)]);
    }
  }

  #name(room: Room): string {
    return `${this.#id}-${room}`;
  }

  #prefix(room: Room): string[] {
    return ['ip', 'netns', 'exec', this.#name(room)];
  }

  #ip(room: Room, ...args: readonly string[]): void {
    run('ip', ['-n', this.#name(room), ...args]);
  }

  #exec(room: Room, command: string, args: readonly string[]): void {
    run('ip', ['netns', 'exec', this.#name(room), command, ...args]);
  }
}

function run(command: string, args: readonly string[], input = ''): string {
  return execFileSync(command, args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });
}
