import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const SSHD = '/usr/sbin/sshd';
const KEYGEN = '/usr/bin/ssh-keygen';

/** Why OpenSSH cannot be had here, or null. */
export function sshObstacle(): string | null {
  if (process.getuid?.() !== 0) return 'needs root';
  return existsSync(SSHD) && existsSync('/usr/bin/ssh') ? null : 'needs openssh-server and openssh-client';
}

/** Keys and configuration of an OpenSSH server. Whoever has the client's key may come in as root. */
export class SshFiles {
  readonly #directory: string;

  /** Makes them in `directory`, for a server that listens at these `address:port`. */
  constructor(directory: string, listen: readonly string[]) {
    this.#directory = directory;
    for (const key of ['host', 'client']) {
      execFileSync(KEYGEN, ['-q', '-t', 'ed25519', '-N', '', '-f', join(directory, key)]);
    }
    const settings = [
      ...listen.map(address => `ListenAddress ${address}`),
      `HostKey ${join(directory, 'host')}`,
      `AuthorizedKeysFile ${join(directory, 'client.pub')}`,
      `PidFile none`,
      'StrictModes no',
      'UsePAM no',
      'PermitRootLogin yes',
      'PasswordAuthentication no',
    ];
    writeFileSync(join(directory, 'sshd_config'), `${settings.join('\n')}\n`);
    mkdirSync('/run/sshd', { recursive: true });
  }

  /** The command line of the server. It says "Server listening" on stderr, once an address. */
  get server(): string[] {
    return [SSHD, '-D', '-e', '-f', join(this.#directory, 'sshd_config')];
  }

  /** The arguments of a client that runs `command` on the server. */
  client(host: string, port: number, command: string, options: readonly string[] = []): string[] {
    const common = [
      'BatchMode=yes',
      'StrictHostKeyChecking=no',
      'UserKnownHostsFile=/dev/null',
      'LogLevel=ERROR',
      'ConnectTimeout=10',
      ...options,
    ].flatMap(option => ['-o', option]);
    const key = join(this.#directory, 'client');
    return ['-F', 'none', '-i', key, ...common, '-p', String(port), `root@${host}`, command];
  }
}

/** OpenSSH's server with keys of its own. */
export class SshServer {
  readonly #directory: string;
  readonly #files: SshFiles;
  readonly #process: ChildProcess;

  private constructor(directory: string, files: SshFiles, process: ChildProcess) {
    this.#directory = directory;
    this.#files = files;
    this.#process = process;
  }

  /** Starts it on these `address:port`; resolves once it listens. `prefix`: goes before the command. */
  static async start(listen: readonly string[], prefix: readonly string[] = []): Promise<SshServer> {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-ssh-'));
    const files = new SshFiles(directory, listen);
    const [command = SSHD, ...args] = [...prefix, ...files.server];
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const said: string[] = [];
    let listening = 0;
    for await (const line of createInterface(child.stderr)) {
      said.push(line);
      if (line.startsWith('Server listening') && ++listening === listen.length) {
        child.stderr.resume();
        return new SshServer(directory, files, child);
      }
    }
    throw new Error(`sshd has ended; it said:\n${said.join('\n')}`);
  }

  /** The arguments of a client that runs `command` on the server. */
  client(host: string, port: number, command: string, options: readonly string[] = []): string[] {
    return this.#files.client(host, port, command, options);
  }

  close(): void {
    this.#process.kill('SIGKILL');
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
