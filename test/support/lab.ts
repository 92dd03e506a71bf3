import { type ChildProcessWithoutNullStreams, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { Namespaces, type RunResult } from './namespaces.ts';

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
const ROOMS = ['client', 'gateway', 'server'] as const;

export type LabRoom = (typeof ROOMS)[number];

/**
 * Three network namespaces in a row, client – gateway – server, in IPv4 and IPv6. The gateway forwards and, without rules
 * of its own, redirects what comes from the client for port 443 to REDIRECT_PORT. Needs root. Any number may exist at a time.
 */
export class Lab {
  readonly #rooms = new Namespaces(`lab-${process.pid}-${randomBytes(3).toString('hex')}`, ROOMS);
  readonly #removeAtExit = () => this.#rooms.remove();

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
    return this.#rooms.prefix(room);
  }

  spawn(room: LabRoom, command: string, args: readonly string[]): ChildProcessWithoutNullStreams {
    return this.#rooms.spawn(room, command, args);
  }

  /** Runs a program to its end. */
  run(room: LabRoom, command: string, args: readonly string[], input?: string): Promise<RunResult> {
    return this.#rooms.run(room, command, args, input);
  }

  /** Ends every process that still runs inside and removes everything. */
  close(): void {
    process.off('exit', this.#removeAtExit);
    this.#rooms.remove();
  }

  #build(rules: string): void {
    const rooms = this.#rooms;
    rooms.create();
    rooms.link('client', 'eth0', 'gateway', 'lan');
    rooms.link('server', 'eth0', 'gateway', 'wan');
    for (const family of [V4, V6]) {
      rooms.assign('client', 'eth0', [family.client]);
      // Deprecated: taken as a source only where it is asked for.
      rooms.assign('client', 'eth0', [family.neighbour], ['preferred_lft', '0']);
      rooms.assign('gateway', 'lan', [family.lan]);
      rooms.assign('gateway', 'wan', [family.wan]);
      rooms.assign('server', 'eth0', serverAddresses(family));
      rooms.ip('client', 'route', 'add', 'default', 'via', family.lan);
      rooms.ip('server', 'route', 'add', 'default', 'via', family.wan);
    }
    rooms.setKernel('gateway', 'ipv4/ip_forward', 1);
    rooms.setKernel('gateway', 'ipv6/conf/all/forwarding', 1);
    rooms.exec('gateway', 'nft', ['-f', '-'], rules);
  }
}

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

function succeeds(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
