import type { Lab } from './lab.ts';
import type { LabServers, ServerAnswer } from './lab-servers.ts';
import type { RunResult } from './namespaces.ts';

/** How a client fared: its exit code, what it complained of, and the server's answer if there was one. */
export interface Visit {
  readonly code: number | null;
  readonly stderr: string;
  readonly answer: ServerAnswer | null;
}

/** OpenSSL's words for the alert by which a refused TLS client is told so. */
export const ACCESS_DENIED_ALERT = 'SSL alert number 49';
/** curl's exit codes. */
export const CURL = { ok: 0, cannotConnect: 7, timeout: 28, emptyReply: 52 } as const;

const SILENT_CLIENT = "require('node:net').connect(443, process.argv[1]).pipe(process.stdout)";
const TALKING_CLIENT =
  "const s = require('node:net').connect(443, process.argv[1]); s.end(process.argv[2]); s.pipe(process.stdout)";

/** Programs in the client's room of a lab. Addresses are where the client believes its server to be. */
export class LabClients {
  readonly #lab: Lab;
  readonly #servers: LabServers;

  constructor(lab: Lab, servers: LabServers) {
    this.#lab = lab;
    this.#servers = servers;
  }

  /** curl to `https://name/`, with the server's certificate verified for that name. `from`: its own address. */
  async https(
    name: string,
    address: string,
    { from, port = 443 }: { from?: string; port?: number } = {},
  ): Promise<Visit> {
    const trust = ['--cacert', this.#servers.certificatePath];
    const route = [
      '--resolve',
      `${name}:${port}:${bracketed(address)}`,
      ...(from === undefined ? [] : ['--interface', from]),
    ];
    return curlVisit(await this.#curl([...trust, ...route, `https://${name}:${port}/`]));
  }

  /** curl speaking plain HTTP. */
  async http(address: string, port = 443): Promise<Visit> {
    return curlVisit(await this.#curl([`http://${bracketed(address)}:${port}/`]));
  }

  /** curl asking in plain HTTP for one host after the other over one connection: the status of each answer, and all bodies. */
  async httpKept(address: string, hosts: readonly string[]): Promise<{ statuses: string[]; body: string }> {
    const marks = hosts.flatMap((host, i) => [
      ...(i === 0 ? [] : ['--next', '--silent', '--max-time', '10']),
      ...['--header', `Host: ${host}:443`, '--write-out', '\n%{http_code}@%{num_connects}\n'],
      `http://${bracketed(address)}:443/`,
    ]);
    const { stdout } = await this.#curl(marks);
    return { statuses: stdout.match(/^\d{3}@\d$/gm) ?? [], body: stdout };
  }

  /** A client that sends nothing until it has been spoken to; what it was told is in `stdout`. */
  silent(address: string): Promise<RunResult> {
    return this.#lab.run('client', process.execPath, ['-e', SILENT_CLIENT, address]);
  }

  /** A client that sends bytes and reads until the end. */
  says(address: string, text: string): Promise<RunResult> {
    return this.#lab.run('client', process.execPath, ['-e', TALKING_CLIENT, address, text]);
  }

  /** OpenSSL with any SNI towards any address; null sends none. */
  async tls(address: string, servername: string | null, port = 443): Promise<Visit> {
    const request = 'GET / HTTP/1.1\r\nHost: lab.example\r\nConnection: close\r\n\r\n';
    const args = this.tlsArguments(address, servername, port);
    const { code, stdout, stderr } = await this.#lab.run('client', 'openssl', args, request);
    return { code, stderr, answer: answerOf(stdout.split('\r\n\r\n')[1] ?? '') };
  }

  /** The command line of such a client, for one that stays connected. */
  tlsArguments(address: string, servername: string | null, port = 443): string[] {
    const name = servername === null ? ['-noservername'] : ['-servername', servername];
    const trust = ['-CAfile', this.#servers.certificatePath, '-verify_return_error'];
    return ['s_client', '-quiet', ...trust, ...name, '-connect', `${bracketed(address)}:${port}`];
  }

  #curl(args: readonly string[]): Promise<RunResult> {
    return this.#lab.run('client', 'curl', ['--silent', '--show-error', '--max-time', '10', ...args]);
  }
}

function curlVisit({ code, stdout, stderr }: RunResult): Visit {
  return { code, stderr, answer: answerOf(stdout) };
}

function answerOf(body: string): ServerAnswer | null {
  return body.startsWith('{') ? JSON.parse(body) : null;
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
