import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';

/** One family's addresses. Documentation ranges (RFC 5737, RFC 3849): the destination guard lets them pass. */
export interface LabAddresses {
  readonly client: string;
  /** Another address of the client's machine. */
  readonly neighbour: string;
  /** The gateway, towards the client. */
  readonly lan: string;
  /** The gateway, towards the servers. */
  readonly wan: string;
  /** Servers, all on port 443: two of TLS that names resolve to, one of TLS that none does, plain HTTP, and one that speaks first. */
  readonly site: string;
  readonly mirror: string;
  readonly attacker: string;
  readonly plain: string;
  readonly banner: string;
}

export const V4 = addresses('192.0.2.', '198.51.100.');
export const V6 = addresses('2001:db8:1::', '2001:db8:2::');

/** Where netfilter sends what the client has meant for port 443. */
export const REDIRECT_PORT = 15443;

/** What leads the client's traffic to the gateway, unless a test brings its own rules. */
const REDIRECT_RULES = `table inet lab {
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "lan" tcp dport 443 redirect to :${REDIRECT_PORT}
  }
}
`;
/** A client that is still there after this long hangs. */
const RUN_TIMEOUT_MS = 15_000;

export type LabRoom = 'client' | 'gateway' | 'server';

export interface RunResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Three network namespaces in a row, client – gateway – server, in IPv4 and IPv6. The gateway forwards and, without rules
 * of its own, redirects what comes from the client for port 443 to REDIRECT_PORT. Needs root. Any number may exist at a time.
 */
export class Lab {
  readonly #id = `lab-${process.pid}-${randomBytes(3).toString('hex')}`;
  readonly #removeAtExit = () => this.#remove();

  private constructor() {
    process.once('exit', this.#removeAtExit);
  }

  /** `rules`: what nft shall load on the gateway. */
  static build(rules: string = REDIRECT_RULES): Lab {
    const lab = new Lab();
    try {
      lab.#build(rules);
    } catch (error) {
      lab.close();
      throw error;
    }
    return lab;
  }

  /** Goes before a command that is to run in a room. It becomes that command: a signal to it arrives. */
  prefix(room: LabRoom): readonly string[] {
    return ['ip', 'netns', 'exec', this.#name(room)];
  }

  spawn(room: LabRoom, command: string, args: readonly string[]): ChildProcessWithoutNullStreams {
    return spawn('ip', ['netns', 'exec', this.#name(room), command, ...args]);
  }

  /** Runs a program to its end. */
  async run(room: LabRoom, command: string, args: readonly string[], input?: string): Promise<RunResult> {
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

  /** Ends every process that still runs inside and removes everything. */
  close(): void {
    process.off('exit', this.#removeAtExit);
    this.#remove();
  }

  #build(rules: string): void {
    for (const room of ROOMS) {
      ip('netns', 'add', this.#name(room));
      // An IPv6 address, the link-local one too, can be used at once instead of after duplicate detection.
      this.#setKernel(room, 'ipv6/conf/default/accept_dad', 0);
      this.#ip(room, 'link', 'set', 'lo', 'up');
    }
    this.#link('client', 'eth0', 'lan');
    this.#link('server', 'eth0', 'wan');
    for (const family of [V4, V6]) {
      this.#assign('client', 'eth0', [family.client]);
      // Deprecated: taken as a source only where it is asked for.
      this.#assign('client', 'eth0', [family.neighbour], ['preferred_lft', '0']);
      this.#assign('gateway', 'lan', [family.lan]);
      this.#assign('gateway', 'wan', [family.wan]);
      this.#assign('server', 'eth0', serverAddresses(family));
      this.#ip('client', 'route', 'add', 'default', 'via', family.lan);
      this.#ip('server', 'route', 'add', 'default', 'via', family.wan);
    }
    this.#setKernel('gateway', 'ipv4/ip_forward', 1);
    this.#setKernel('gateway', 'ipv6/conf/all/forwarding', 1);
    this.#exec('gateway', 'nft', ['-f', '-'], rules);
  }

  #link(room: LabRoom, device: string, gatewayDevice: string): void {
    const peer = ['peer', 'name', gatewayDevice, 'netns', this.#name('gateway')];
    this.#ip(room, 'link', 'add', device, 'type', 'veth', ...peer);
    this.#ip(room, 'link', 'set', device, 'up');
    this.#ip('gateway', 'link', 'set', gatewayDevice, 'up');
  }

  #assign(room: LabRoom, device: string, ips: readonly string[], options: readonly string[] = []): void {
    for (const address of ips) {
      const length = address.includes(':') ? 64 : 24;
      this.#ip(room, 'address', 'add', `${address}/${length}`, 'dev', device, ...options);
    }
  }

  #setKernel(room: LabRoom, key: string, value: number): void {
    this.#exec(room, 'sh', ['-c', `echo ${value} > /proc/sys/net/${key}`]);
  }

  #remove(): void {
    const existing = ip('netns', 'list');
    for (const name of ROOMS.map(room => this.#name(room)).filter(name => existing.includes(name))) {
      for (const pid of ip('netns', 'pids', name).split('\n').filter(Boolean)) kill(Number(pid));
      ip('netns', 'delete', name);
    }
  }

  #name(room: LabRoom): string {
    return `${this.#id}-${room}`;
  }

  #ip(room: LabRoom, ...args: readonly string[]): void {
    ip('-n', this.#name(room), ...args);
  }

  #exec(room: LabRoom, command: string, args: readonly string[], input = ''): void {
    ipWith(input, 'netns', 'exec', this.#name(room), command, ...args);
  }
}

const ROOMS: readonly LabRoom[] = ['client', 'gateway', 'server'];

/** Why no lab can be built here, or null: it tries. */
export function labObstacle(): string | null {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root';
  const missing = PROGRAMS.filter(([command, ...args]) => !succeeds(command, args)).map(
    ([command]) => command,
  );
  if (missing.length > 0) return `needs ${missing.join(', ')}`;
  try {
    Lab.build().close();
    return null;
  } catch {
    return 'needs network namespaces, veth and nftables NAT';
  }
}

const PROGRAMS = [
  ['ip', '-V'],
  ['nft', '-v'],
  ['curl', '-V'],
  ['openssl', 'version'],
  ['python3', '-V'],
  ['setpriv', '-V'],
  ['sysctl', '-V'],
] as const;

function serverAddresses({ site, mirror, attacker, plain, banner }: LabAddresses): string[] {
  return [site, mirror, attacker, plain, banner];
}

function addresses(clientNet: string, serverNet: string): LabAddresses {
  return {
    client: `${clientNet}2`,
    neighbour: `${clientNet}3`,
    lan: `${clientNet}1`,
    wan: `${serverNet}1`,
    site: `${serverNet}10`,
    mirror: `${serverNet}11`,
    attacker: `${serverNet}66`,
    plain: `${serverNet}80`,
    banner: `${serverNet}25`,
  };
}

function ip(...args: readonly string[]): string {
  return ipWith('', ...args);
}

function ipWith(input: string, ...args: readonly string[]): string {
  return execFileSync('ip', args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });
}

function succeeds(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has just ended by itself
  }
}
