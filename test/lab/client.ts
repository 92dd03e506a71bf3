import { join } from 'node:path';
import type { Namespaces, RunResult } from '../support/namespaces.ts';
import { postgresPrograms } from '../support/postgres.ts';
import type { SshFiles } from '../support/ssh.ts';
import { at, type Family, type Room } from './addresses.ts';
import { BALANCED_PORT } from './gateway-config.ts';
import { DATABASE_USER } from './postgres.ts';

export interface ClientOptions {
  readonly rooms: Namespaces<Room>;
  readonly room: Room;
  /** What clients trust. */
  readonly certificatePath: string;
  readonly ssh: SshFiles | null;
  /** The directory of agents/. */
  readonly agents: string;
}

interface Route {
  /** The client's own address; else the room's first. */
  readonly from?: string;
  /** Where the client believes the host to be; else it asks DNS. */
  readonly to?: string;
  readonly port?: number;
  /** Goes before the command: setpriv, say. */
  readonly as?: readonly string[];
}

/** Real client programs in one room. Each method says in a line what came of it. */
export class Client {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** curl to `https://host/`; the certificate must be good for the host. */
  https(host: string, family: Family, route: Route = {}): Promise<string> {
    return this.#curl(host, family, { port: 443, ...route }, 'https');
  }

  /** curl to `http://host/`. */
  http(host: string, family: Family, route: Route = {}): Promise<string> {
    return this.#curl(host, family, { port: 80, ...route }, 'http');
  }

  /** curl to `https://host/` by a forward proxy at this address. */
  async httpsByProxy(host: string, proxy: string, { from }: Route = {}): Promise<string> {
    const { certificatePath } = this.#options;
    const options = [
      ...['--silent', '--show-error', '--max-time', '10', '--cacert', certificatePath],
      ...(from === undefined ? [] : ['--interface', from]),
      ...['--proxy', `http://${at(proxy, BALANCED_PORT)}`],
    ];
    return served(await this.#run('curl', [...options, '--write-out', '|%{http_code}', `https://${host}/`]));
  }

  /** The same as a load balancer that says by PROXY protocol that `client` came through a VPC endpoint. */
  async viaEndpoint(host: string, proxy: string, client: string, endpoint: string): Promise<string> {
    const { certificatePath, agents } = this.#options;
    const program = [join(agents, 'via-endpoint.js'), proxy, String(BALANCED_PORT)];
    const { stdout } = await this.#run(process.execPath, [
      ...program,
      client,
      endpoint,
      host,
      certificatePath,
    ]);
    return stdout.startsWith('{') ? `200 ${told(stdout)}` : stdout;
  }

  /** curl asking for one host after the other over one connection to port 80 of an address. */
  async httpKept(address: string, hosts: readonly string[]): Promise<string> {
    const requests = hosts.flatMap((host, i) => [
      ...(i === 0 ? [] : ['--next', '--silent', '--max-time', '10']),
      ...['--header', `Host: ${host}`, '--write-out', '|%{http_code} %{num_connects}\n'],
      `http://${at(address, 80)}/`,
    ]);
    const { stdout, stderr } = await this.#run('curl', [
      '--silent',
      '--show-error',
      '--max-time',
      '10',
      ...requests,
    ]);
    const statuses = [...stdout.matchAll(/\|(\d+) (\d+)$/gm)];
    if (statuses.length !== hosts.length) return complaint(stderr);
    const connections = statuses.reduce((sum, [, , connects]) => sum + Number(connects), 0);
    const refusals = stdout.split('\n').filter(line => line.includes(' refused '));
    return [
      `${statuses.map(([, status]) => status).join(', ')} over ${connections} ${connections === 1 ? 'connection' : 'connections'}`,
      ...refusals,
    ].join('; ');
  }

  /** OpenSSL with any server name towards any address. */
  async tls(address: string, servername: string): Promise<string> {
    const { certificatePath } = this.#options;
    const trust = ['-CAfile', certificatePath, '-verify_return_error'];
    const args = ['s_client', '-quiet', ...trust, '-servername', servername, '-connect', at(address, 443)];
    const request = `GET / HTTP/1.1\r\nHost: ${servername}\r\nConnection: close\r\n\r\n`;
    const { stdout, stderr } = await this.#run('openssl', args, request);
    const [, body = ''] = stdout.split('\r\n\r\n');
    return body.startsWith('{') ? `200 ${told(body)}` : complaint(stderr);
  }

  /** OpenSSH running a command on a host, by a key. */
  async ssh(host: string, family: Family): Promise<string> {
    const { ssh } = this.#options;
    if (ssh === null) return 'no sshd';
    const args = ssh.client(host, 22, 'echo logged in', ['LogLevel=INFO']);
    const { stdout, stderr } = await this.#run('ssh', [family.flag, ...args]);
    return stdout.trim() || complaint(stderr.replace(/^Warning: .*\n/gm, ''));
  }

  /** psql asking a server for its own address. `to`: where it connects to; the name is said by TLS alone. */
  async psql(host: string, to: string, sslmode: 'disable' | 'require'): Promise<string> {
    const bin = postgresPrograms();
    if (bin === null) return 'no psql';
    const target = `host=${host} hostaddr=${to} user=${DATABASE_USER} dbname=postgres sslmode=${sslmode} connect_timeout=10`;
    const query =
      "select 'served by '||host(inet_server_addr())||case when ssl then ' over '||version else ' in the clear' end from pg_stat_ssl where pid=pg_backend_pid()";
    const { stdout, stderr } = await this.#run(join(bin, 'psql'), ['-XAtc', query, target]);
    return stdout.trim() || complaint(stderr);
  }

  /** A datagram, and how soon something came back. */
  async udp(address: string, port: number): Promise<string> {
    const { stdout } = await this.#run(process.execPath, [
      join(this.#options.agents, 'ask-udp.js'),
      address,
      String(port),
    ]);
    return stdout;
  }

  /** The system's resolver, which asks the lab's DNS server. */
  async resolve(host: string, family: Family): Promise<string> {
    const database = family.name === 'IPv4' ? 'ahostsv4' : 'ahostsv6';
    const { stdout } = await this.#run('getent', [database, host]);
    return stdout.split(/\s/, 1).join('') || 'no answer';
  }

  async #curl(
    host: string,
    family: Family,
    { from, to, port = 443, as = [] }: Route,
    scheme: string,
  ): Promise<string> {
    const { certificatePath } = this.#options;
    const options = [
      ...['--silent', '--show-error', '--max-time', '10', '--cacert', certificatePath, family.flag],
      ...(from === undefined ? [] : ['--interface', from]),
      ...(to === undefined ? [] : ['--resolve', `${host}:${port}:${to}`]),
    ];
    const [command = '', ...args] = [
      ...as,
      'curl',
      ...options,
      '--write-out',
      '|%{http_code}',
      `${scheme}://${host}:${port}/`,
    ];
    return served(await this.#run(command, args));
  }

  #run(command: string, args: readonly string[], input?: string): Promise<RunResult> {
    return this.#options.rooms.run(this.#options.room, command, args, input);
  }
}

/** What curl was given, by its output with the status at the end. */
function served({ code, stdout, stderr }: RunResult): string {
  if (code !== 0) return complaint(stderr);
  const [body = '', status = ''] = stdout.split('|');
  return `${status} ${body.startsWith('{') ? told(body) : body.trim()}`;
}

/** What a server outside says about itself and its client. */
function told(body: string): string {
  const { server, peer, servername, host } = JSON.parse(body);
  return `from ${server}, seen as ${peer}, asked for ${servername ?? host}`;
}

/** What a program complained of, in one line. */
function complaint(stderr: string): string {
  const alert = /alert ([a-z ]+):.*?SSL alert number \d+/.exec(stderr)?.[1];
  if (alert !== undefined) return `refused by TLS alert "${alert}"`;
  return stderr.trim().replace(/\s+/g, ' ');
}
