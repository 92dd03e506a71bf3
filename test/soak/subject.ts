import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { stringify } from 'yaml';
import type { SitesPage, Status } from '../../src/admin/daemon-api.ts';
import type { Site } from '../../src/observe/site-query.ts';
import { until } from '../support/until.ts';
import { freePort } from '../support/upstream.ts';
import { FORBIDDEN, HELLO_BYTES, HELLO_TIMEOUT } from './lives.ts';
import type { Town } from './town.ts';

export const WORKERS = 2;

/** Open descriptors of a process. */
export interface Descriptors {
  readonly all: number;
  readonly pipes: number;
}

/** The daemon under test, in a process of its own, with its log in a file. */
export class Subject {
  readonly directory = mkdtempSync(join(tmpdir(), 'sallyport-soak-'));
  readonly logPath = join(this.directory, 'log');
  readonly #policyPath = join(this.directory, 'policy.yaml');
  readonly #process: ChildProcess;
  readonly #exited: Promise<number | null>;
  readonly #admin: string;
  readonly tls: number;
  readonly proxy: number;
  readonly #upstreamPort: number;
  /** When this process ends before it has removed the daemon. */
  readonly #abandoned = () => {
    this.#process.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  };
  #errors = '';
  #generation = 0;

  private constructor(
    main: string,
    dataplane: 'epoll' | 'portable',
    { port: upstream, dns }: Town,
    [tls, proxy, admin]: readonly [number, number, number],
  ) {
    this.tls = tls;
    this.proxy = proxy;
    this.#upstreamPort = upstream;
    this.#admin = `http://127.0.0.1:${admin}`;
    const config = {
      version: 1,
      gateway: 'soak',
      policy: './policy.yaml',
      dataplane,
      workers: WORKERS,
      admin: { address: `127.0.0.1:${admin}` },
      listeners: [
        { name: 'tls', kind: 'sni', address: `127.0.0.1:${tls}`, upstreamPort: upstream },
        { name: 'proxy', kind: 'explicit', address: `127.0.0.1:${proxy}` },
      ],
      dns: { servers: [dns.server] },
      destinations: { allow: ['127.77.0.0/16'] },
      limits: { helloTimeout: HELLO_TIMEOUT, helloBytes: `${HELLO_BYTES / 1024}KiB` },
      sites: { store: './sites.db' },
      log: { fold: '0s' },
    };
    const configPath = join(this.directory, 'sallyport.yaml');
    writeFileSync(configPath, stringify(config));
    this.#writePolicy(true);
    const log = openSync(this.logPath, 'a');
    this.#process = spawn(process.execPath, [main, 'run', '-c', configPath], {
      stdio: ['ignore', log, 'pipe'],
    });
    closeSync(log);
    this.#process.stderr?.on('data', (bytes: Buffer) => {
      this.#errors += bytes;
    });
    process.once('exit', this.#abandoned);
    this.#exited = once(this.#process, 'exit').then(([code]) => code);
  }

  /** `main`: the built program. */
  static async start(main: string, dataplane: 'epoll' | 'portable', town: Town): Promise<Subject> {
    const ports = [await freePort(), await freePort(), await freePort()] as const;
    const subject = new Subject(main, dataplane, town, ports);
    try {
      await until('the daemon is ready', async () => {
        if (subject.#process.exitCode !== null) throw new Error(`the daemon ended: ${subject.#errors}`);
        return (await subject.#ask('/-/ready').catch(() => '')) === 'ready\n';
      });
    } catch (error) {
      await subject.remove();
      throw error;
    }
    return subject;
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** What it wrote to stderr: nothing, if all is well. */
  get errors(): string {
    return this.#errors;
  }

  async status(): Promise<Status> {
    return JSON.parse(await this.#ask('/api/v1/status')) as Status;
  }

  async openFlows(): Promise<number> {
    const { listeners } = await this.status();
    return listeners.reduce((sum, { openFlows }) => sum + openFlows, 0);
  }

  /** The samples of one metric by their labels, as they stand between the braces. */
  async metric(name: string): Promise<Map<string, number>> {
    const exposition = await this.#ask('/metrics');
    const samples = [...exposition.matchAll(new RegExp(`^${name}(?:\\{([^}]*)\\})? (\\S+)$`, 'gm'))];
    return new Map(samples.map(([, labels = '', value]) => [labels, Number(value)]));
  }

  async sites(): Promise<readonly Site[]> {
    const page = JSON.parse(await this.#ask('/api/v1/sites')) as SitesPage<Site>;
    return page.sites;
  }

  /** Changes the policy, to one that judges alike or to one that does not load. Null when it was taken as it should. */
  async changePolicy(isGood: boolean): Promise<string | null> {
    this.#writePolicy(isGood);
    const { result } = JSON.parse(await this.#ask('/-/reload', 'POST')) as { result: string };
    return (result !== 'failure') === isGood ? null : `a ${isGood ? 'good' : 'broken'} policy: ${result}`;
  }

  descriptors(): Descriptors {
    const directory = `/proc/${this.#process.pid}/fd`;
    const targets = readdirSync(directory).map(fd => linkOf(join(directory, fd)));
    return { all: targets.length, pipes: targets.filter(target => target.startsWith('pipe:')).length };
  }

  residentMiB(): number {
    const status = readFileSync(`/proc/${this.#process.pid}/status`, 'latin1');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
  }

  /** Ends it by SIGTERM; resolves to its exit code. */
  stop(): Promise<number | null> {
    this.#process.kill('SIGTERM');
    return this.#exited;
  }

  async remove(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#exited;
    process.off('exit', this.#abandoned);
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** On a connection of its own, which is closed behind the answer: none stays open to be counted. */
  #ask(path: string, method = 'GET'): Promise<string> {
    return new Promise((resolve, reject) => {
      const asking = request(`${this.#admin}${path}`, { method, agent: false }, answer => {
        text(answer).then(resolve, reject);
      });
      asking.on('error', reject);
      asking.end();
    });
  }

  #writePolicy(isGood: boolean): void {
    this.#generation++;
    const rules = [
      { name: 'soak', hosts: ['*.soak.test'], ports: [this.#upstreamPort] },
      { name: 'forbidden', action: 'deny', hosts: [FORBIDDEN], ports: [this.#upstreamPort] },
      { name: 'another', hosts: [`g${this.#generation}.other.example`] },
    ];
    const broken = isGood ? {} : { rulez: [] };
    writeFileSync(this.#policyPath, stringify({ version: 1, mode: 'enforce', rules, ...broken }));
  }
}

/** Empty when the descriptor was closed meanwhile. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
