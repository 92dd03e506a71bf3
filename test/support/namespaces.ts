import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface RunResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A client that is still there after this long hangs. */
const RUN_TIMEOUT_MS = 60_000;
/** Killed processes are gone within milliseconds. */
const KILLED_WITHIN_MS = 20_000;

/** Network namespaces that belong together, with the links between them. Needs root. */
export class Namespaces<Room extends string> {
  readonly #id: string;
  readonly #rooms: readonly Room[];

  /** `id`: begins the name of each namespace, and is nobody else's. Makes none yet. */
  constructor(id: string, rooms: readonly Room[]) {
    this.#id = id;
    this.#rooms = rooms;
  }

  /** Makes them, each with its loopback interface up. */
  create(): void {
    for (const room of this.#rooms) {
      ip('netns', 'add', this.name(room));
      // An IPv6 address, the link-local one too, can be used at once instead of after duplicate detection.
      this.setKernel(room, 'ipv6/conf/default/accept_dad', 0);
      this.ip(room, 'link', 'set', 'lo', 'up');
    }
  }

  /** As `ip netns` knows it. */
  name(room: Room): string {
    return `${this.#id}-${room}`;
  }

  /** Goes before a command that is to run in a room. It becomes that command: a signal to it arrives. */
  prefix(room: Room): readonly string[] {
    return ['ip', 'netns', 'exec', this.name(room)];
  }

  spawn(room: Room, command: string, args: readonly string[]): ChildProcessWithoutNullStreams {
    return spawn('ip', ['netns', 'exec', this.name(room), command, ...args]);
  }

  /** Runs a program to its end. */
  async run(room: Room, command: string, args: readonly string[], input?: string): Promise<RunResult> {
    const child = this.spawn(room, command, args);
    const timer = setTimeout(() => child.kill('SIGKILL'), RUN_TIMEOUT_MS);
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', chunk => out.push(chunk));
    child.stderr.on('data', chunk => err.push(chunk));
    // A client that was refused may be gone before it has read its input.
    child.stdin.on('error', () => {});
    if (input !== undefined) child.stdin.write(input);
    const [code] = await once(child, 'close');
    clearTimeout(timer);
    return { code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() };
  }

  /** Lays a cable from one room to another. */
  link(room: Room, device: string, to: Room, toDevice: string): void {
    const peer = ['peer', 'name', toDevice, 'netns', this.name(to)];
    this.ip(room, 'link', 'add', device, 'type', 'veth', ...peer);
    this.ip(room, 'link', 'set', device, 'up');
    this.ip(to, 'link', 'set', toDevice, 'up');
  }

  /** Gives a device addresses: of networks of 256, in IPv6 of the usual size. */
  assign(room: Room, device: string, ips: readonly string[], options: readonly string[] = []): void {
    for (const address of ips) {
      const length = address.includes(':') ? 64 : 24;
      this.ip(room, 'address', 'add', `${address}/${length}`, 'dev', device, ...options);
    }
  }

  setKernel(room: Room, key: string, value: number): void {
    this.exec(room, 'sh', ['-c', `echo ${value} > /proc/sys/net/${key}`]);
  }

  ip(room: Room, ...args: readonly string[]): void {
    ip('-n', this.name(room), ...args);
  }

  /** Runs a program to its end, at once. Throws when it fails. */
  exec(room: Room, command: string, args: readonly string[], input = ''): string {
    return ipWith(input, 'netns', 'exec', this.name(room), command, ...args);
  }

  /** Ends every process that still runs inside, and removes the namespaces with all links. Those that are gone do not matter. */
  remove(): void {
    const existing = namespaceNames();
    const names = this.#rooms.map(room => this.name(room)).filter(name => existing.includes(name));
    const pids = () => names.flatMap(name => ip('netns', 'pids', name).split('\n').filter(Boolean));
    const deadline = performance.now() + KILLED_WITHIN_MS;
    for (let left = pids(); left.length > 0 && performance.now() < deadline; left = pids()) {
      for (const pid of left) kill(Number(pid));
      pause(5);
    }
    for (const name of names) ip('netns', 'delete', name);
  }
}

/** Of all namespaces of this host that have a name. */
export function namespaceNames(): string[] {
  const lines = ip('netns', 'list').split('\n');
  // "name (id: 3)"
  return lines.map(line => line.split(' ', 1).join('')).filter(Boolean);
}

function ip(...args: readonly string[]): string {
  return ipWith('', ...args);
}

function ipWith(input: string, ...args: readonly string[]): string {
  return execFileSync('ip', args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has just ended by itself
  }
}

/** Without the event loop, which does not turn any more while a process exits. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
