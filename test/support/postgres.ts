import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { makeCertificate } from './certificate.ts';

const VERSIONS = '/usr/lib/postgresql';
/** PostgreSQL does not run as root. */
const NOBODY = 65_534;

/** Why PostgreSQL cannot be had here, or null. */
export function postgresObstacle(): string | null {
  return postgresPrograms() !== null && existsSync('/usr/bin/psql')
    ? null
    : 'needs postgresql and postgresql-client';
}

/** The directory with the programs of PostgreSQL; null when there are none. */
export function postgresPrograms(): string | null {
  const [version] = existsSync(VERSIONS) ? readdirSync(VERSIONS).reverse() : [];
  return version === undefined ? null : join(VERSIONS, version, 'bin');
}

/** What goes before a command that is not to run as root, with its directory given to whom it will be. */
function asNobody(directory: string): readonly string[] {
  if (process.getuid?.() !== 0) return [];
  chownSync(directory, NOBODY, NOBODY);
  return ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
}

/** An empty database cluster, from which servers are copied. */
export class PostgresCluster {
  readonly #directory = mkdtempSync(join(tmpdir(), 'sallyport-pg-'));
  #servers = 0;

  constructor(names: readonly string[]) {
    const bin = postgresPrograms();
    if (bin === null) throw new Error('there is no PostgreSQL');
    const [command = '', ...args] = [
      ...asNobody(this.#directory),
      join(bin, 'initdb'),
      ...['--auth=trust', '--username=postgres', '--no-sync', '--no-instructions', '--encoding=UTF8'],
      ...['--locale=C', '-D', join(this.#directory, 'template')],
    ];
    execFileSync(command, args, { stdio: 'pipe' });
    const { key, cert } = makeCertificate(names);
    for (const [name, text] of [
      ['key.pem', key],
      ['cert.pem', cert],
    ] as const) {
      writeFileSync(join(this.#directory, name), text);
      chmodSync(join(this.#directory, name), 0o600);
      asNobody(join(this.#directory, name));
    }
    writeFileSync(
      join(this.#directory, 'template', 'pg_hba.conf'),
      'host all all 0.0.0.0/0 trust\nhost all all ::/0 trust\n',
    );
  }

  /** Starts a server; resolves once it listens. `prefix` goes before the command. */
  async start(
    addresses: readonly string[],
    port: number,
    { hasTls, prefix = [] }: { hasTls: boolean; prefix?: readonly string[] },
  ): Promise<PostgresServer> {
    const data = join(this.#directory, `server-${this.#servers++}`);
    cpSync(join(this.#directory, 'template'), data, { recursive: true });
    const bin = postgresPrograms() ?? '';
    execFileSync('chown', ['-R', '--reference', join(this.#directory, 'template'), data]);
    // Node 24 does not copy the mode of a directory, and PostgreSQL insists on it.
    chmodSync(data, 0o700);
    const settings = {
      listen_addresses: addresses.join(','),
      port,
      unix_socket_directories: '',
      ssl: hasTls ? 'on' : 'off',
      ssl_cert_file: join(this.#directory, 'cert.pem'),
      ssl_key_file: join(this.#directory, 'key.pem'),
      fsync: 'off',
      shared_buffers: '16MB',
      max_connections: 20,
    };
    const [command = '', ...args] = [
      ...prefix,
      ...asNobody(this.#directory),
      join(bin, 'postgres'),
      '-D',
      data,
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ];
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const said: string[] = [];
    for await (const line of createInterface(child.stderr)) {
      said.push(line);
      if (!line.includes('ready to accept connections')) continue;
      child.stderr.resume();
      return new PostgresServer(port, child);
    }
    throw new Error(`postgres has ended; it said:\n${said.join('\n')}`);
  }

  close(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

export class PostgresServer {
  readonly port: number;
  readonly #process: ChildProcess;

  constructor(port: number, process: ChildProcess) {
    this.port = port;
    this.#process = process;
  }

  /** At once, with everything that it has started. */
  async close(): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGQUIT');
    await ended;
  }
}

export interface PsqlTarget {
  readonly host: string;
  readonly hostaddr: string;
  readonly port: number;
  readonly sslmode: 'disable' | 'prefer' | 'require' | 'verify-full';
  readonly gssencmode?: 'disable' | 'prefer';
}

/** The command line of psql for one query whose result is printed bare. */
export function psqlArguments(target: PsqlTarget, query: string): string[] {
  const all = { user: 'postgres', dbname: 'postgres', connect_timeout: 10, ...target };
  const connection = Object.entries(all).map(([name, value]) => `${name}=${value}`);
  return ['-X', '-A', '-t', '-c', query, connection.join(' ')];
}
