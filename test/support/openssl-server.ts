import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { makeCertificate } from './certificate.ts';
import type { Scope } from './scope.ts';

/** A HelloRetryRequest of OpenSSL is no shorter. */
export const RETRY_BYTES = 90;

/** How a program is started: on this host, or in a room of a lab. */
type Spawn = (command: string, args: readonly string[]) => ChildProcessWithoutNullStreams;

/**
 * `openssl s_server` that takes TLS 1.3 with P-384 only, so that it asks clients without such a key share again. It
 * serves one connection at a time, and tells the name in every ClientHello that it reads.
 */
export class RetryingServer {
  readonly port: number;
  /** What clients shall trust. */
  readonly certificatePath: string;
  readonly #names: readonly string[];
  readonly #said: () => Promise<void>;

  private constructor(
    port: number,
    certificatePath: string,
    names: readonly string[],
    said: () => Promise<void>,
  ) {
    this.port = port;
    this.certificatePath = certificatePath;
    this.#names = names;
    this.#said = said;
  }

  /** How many hellos it has told of, over all connections. */
  get hellos(): number {
    return this.#names.length;
  }

  /** The names in the hellos from the `from`th on, in order, once there are `count`. */
  async namesFrom(from: number, count: number): Promise<string[]> {
    while (this.#names.length < from + count) await this.#said();
    return this.#names.slice(from);
  }

  /** `accept`: `127.0.0.1:0`, say. */
  static async start(
    scope: Scope,
    accept: string,
    run: Spawn = (command, args) => spawn(command, [...args]),
  ): Promise<RetryingServer> {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-retry-'));
    scope.defer(() => rmSync(directory, { recursive: true, force: true }));
    const [certPath, keyPath] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
    const { key, cert } = makeCertificate(['allowed.example', 'denied.example']);
    writeFileSync(certPath, cert);
    writeFileSync(keyPath, key);
    // Only a server with a second certificate looks at the name.
    const names = [
      '-servername',
      'allowed.example',
      '-cert',
      certPath,
      '-key',
      keyPath,
      '-cert2',
      certPath,
      '-key2',
      keyPath,
    ];
    const retrying = ['-accept', accept, '-tls1_3', '-groups', 'P-384', '-www'];
    // A pipe is no terminal: without help it would keep what it says to itself.
    const child = run('stdbuf', ['-oL', 'openssl', 's_server', ...retrying, ...names]);
    child.stdin.on('error', () => {});
    const killAtExit = () => child.kill('SIGKILL');
    process.once('exit', killAtExit);
    const seen: string[] = [];
    const output: string[] = [];
    const ended = new Promise<void>(resolve => child.once('close', () => resolve()));
    scope.defer(() => {
      process.off('exit', killAtExit);
      child.kill('SIGKILL');
      return ended;
    });
    const waiting: (() => void)[] = [];
    const port = await new Promise<number>((resolve, reject) => {
      createInterface(child.stdout).on('line', line => {
        output.push(line);
        const name = /Hostname in TLS extension: "(.*)"/.exec(line)?.[1];
        if (name !== undefined) seen.push(name);
        // It names the port only where it has chosen one.
        const listening = /^ACCEPT(?: .*:(\d+))?/.exec(line);
        if (listening !== null) resolve(Number(listening[1] ?? accept.split(':').at(-1)));
        for (const wake of waiting.splice(0)) wake();
      });
      createInterface(child.stderr).on('line', line => output.push(line));
      child.once('close', () => reject(new Error(`openssl s_server has ended: ${output.join('\n')}`)));
    });
    const said = () => new Promise<void>(resolve => waiting.push(resolve));
    return new RetryingServer(port, certPath, seen, said);
  }
}
