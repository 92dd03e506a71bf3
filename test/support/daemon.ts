import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { checkoutUrl } from './checkout.ts';

const MAIN = fileURLToPath(checkoutUrl('dist/main.js'));

/** One line of the daemon's log. */
export type LogLine = Readonly<Record<string, unknown>>;

export interface DaemonExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The two records of one flow. */
export interface FlowRecords {
  readonly decision: LogLine;
  readonly close: LogLine;
}

export interface DaemonOptions {
  /** Keys of sallyport.yaml. Filled in where absent: an explicit, a sni listener, and admin, all on free ports. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Keys of policy.yaml, or its text. */
  readonly policy: Readonly<Record<string, unknown>> | string;
  readonly env?: NodeJS.ProcessEnv;
  /** The program, where it is not the one that is built here. */
  readonly main?: string;
  /** Before `node`: `ip netns exec NAME`, say. */
  readonly prefix?: readonly string[];
  /** After `node`. */
  readonly nodeArgs?: readonly string[];
  /** After `run -c FILE`. */
  readonly args?: readonly string[];
  /** Descriptors of ours that it finds from 3 on. */
  readonly descriptors?: readonly number[];
}

interface Watcher {
  /** Hears every line from `from` on, once. */
  take(line: LogLine): void;
  ended(): void;
}

/** A real daemon, in a process of its own: the built program with a configuration in a temporary directory. */
export class TestDaemon {
  readonly directory: string;
  readonly policyPath: string;
  readonly configPath: string;
  readonly process: ChildProcess;
  readonly lines: LogLine[] = [];
  /** What it wrote that is no JSON line: stderr, and stdout in text format. */
  readonly otherOutput: string[] = [];
  /** Resolves when the process has ended and all its output was read. */
  readonly exited: Promise<DaemonExit>;
  readonly #handedOut = new Set<unknown>();
  readonly #watchers = new Set<Watcher>();
  #ended = false;

  private constructor(options: DaemonOptions) {
    this.directory = mkdtempSync(join(tmpdir(), 'sallyport-'));
    this.policyPath = join(this.directory, 'policy.yaml');
    this.configPath = join(this.directory, 'sallyport.yaml');
    this.writePolicy(options.policy);
    const config = {
      version: 1,
      gateway: 'test-gateway',
      policy: './policy.yaml',
      admin: { address: '127.0.0.1:0' },
      listeners: [
        { name: 'proxy', kind: 'explicit', address: '127.0.0.1:0' },
        { name: 'tls', kind: 'sni', address: '127.0.0.1:0' },
      ],
      // Every record by itself, so that tests can count them.
      log: { fold: '0s' },
      ...options.config,
    };
    writeFileSync(this.configPath, stringify(config));
    const [command = process.execPath, ...args] = [
      ...(options.prefix ?? []),
      process.execPath,
      ...(options.nodeArgs ?? []),
      options.main ?? MAIN,
      'run',
      '-c',
      this.configPath,
      ...(options.args ?? []),
    ];
    this.process = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe', ...(options.descriptors ?? [])],
      env: { ...process.env, ...options.env },
    });
    const killOnExit = () => this.process.kill('SIGKILL');
    process.once('exit', killOnExit);
    this.exited = once(this.process, 'close').then(([code, signal]) => {
      process.off('exit', killOnExit);
      this.#ended = true;
      for (const watcher of [...this.#watchers]) watcher.ended();
      return { code, signal };
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      if (stream !== null) createInterface(stream).on('line', line => this.read(line));
    }
  }

  /** Starts a daemon and waits until it is ready. Throws with its output when it ends before that. */
  static async start(options: DaemonOptions): Promise<TestDaemon> {
    const daemon = new TestDaemon(options);
    try {
      await daemon.line(line => line.event === 'ready');
    } catch (error) {
      await daemon.kill();
      throw error;
    }
    return daemon;
  }

  /** Starts one that is expected to end by itself. */
  static launch(options: DaemonOptions): TestDaemon {
    return new TestDaemon(options);
  }

  /** The port of a listener. */
  port(listener: string): number {
    return Number(this.address(listener).split(':').at(-1));
  }

  address(listener: string): string {
    const said = this.lines.find(line => line.event === 'ready')?.msg;
    const address = new RegExp(`[ ]${listener} on (\\S+?)[,;]`).exec(String(said))?.[1];
    if (address === undefined) throw new Error(`no listener ${listener} in: ${said}`);
    return address;
  }

  get admin(): string {
    return `http://${this.lines.find(line => line.event === 'ready')?.admin}`;
  }

  /** Puts another policy file in place of the present one, as deployment tools do: it is never seen half written. */
  writePolicy(policy: Readonly<Record<string, unknown>> | string): void {
    const written = `${this.policyPath}.new`;
    writeFileSync(written, typeof policy === 'string' ? policy : stringify({ version: 1, ...policy }));
    renameSync(written, this.policyPath);
  }

  /** Waits for a log line from the `from`th on. Rejects when the daemon ends first. */
  async line(matches: (line: LogLine) => boolean, from = 0): Promise<LogLine> {
    const [line] = await this.collect(matches, 1, from);
    if (line === undefined) throw new Error('no line');
    return line;
  }

  /** Waits until `count` lines match. */
  collect(matches: (line: LogLine) => boolean, count: number, from = 0): Promise<LogLine[]> {
    const found = this.lines.slice(from).filter(matches);
    if (found.length >= count) return Promise.resolve(found);
    return new Promise((resolve, reject) => {
      const watcher: Watcher = {
        take: line => {
          if (!matches(line) || found.push(line) < count) return;
          this.#watchers.delete(watcher);
          resolve(found);
        },
        ended: () => {
          this.#watchers.delete(watcher);
          reject(new Error(`the daemon has ended; it said:\n${this.output()}`));
        },
      };
      if (this.#ended) watcher.ended();
      else this.#watchers.add(watcher);
    });
  }

  /**
   * Waits for the records of the flow that came from `srcPort`. Ports come again: each flow is handed out once, the
   * latest of those there are first.
   */
  async flow(srcPort: number | undefined): Promise<FlowRecords> {
    const isNew = (line: LogLine) =>
      line.event === 'close' && line.src_port === srcPort && !this.#handedOut.has(line.flow);
    const close = this.lines.findLast(isNew) ?? (await this.line(isNew));
    for (const line of this.lines) if (isNew(line)) this.#handedOut.add(line.flow);
    const decision = await this.line(line => line.event === 'decision' && line.flow === close.flow);
    return { decision, close };
  }

  /** The value of a metric, `labels` as they stand in the exposition; 0 when it has no such series. */
  async metric(name: string, labels = ''): Promise<number> {
    const response = await fetch(`${this.admin}/metrics`);
    const series = (await response.text()).split('\n').find(line => line.startsWith(`${name}${labels} `));
    return Number(series?.slice(series.lastIndexOf(' ')) ?? 0);
  }

  output(): string {
    return [...this.otherOutput, ...this.lines.slice(-20).map(line => JSON.stringify(line))].join('\n');
  }

  /** Ends the daemon by a signal, waits, and removes its directory. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<DaemonExit> {
    this.process.kill(signal);
    const end = await this.exited;
    rmSync(this.directory, { recursive: true, force: true });
    return end;
  }

  /** Ends it at once, whatever state it is in: for cleaning up. */
  kill(): Promise<DaemonExit> {
    return this.stop('SIGKILL');
  }

  /** Takes a line of its output: those that do not come by its pipes, too. */
  read(text: string): void {
    const line = parseLine(text);
    if (line === null) {
      this.otherOutput.push(text);
      return;
    }
    this.lines.push(line);
    for (const watcher of [...this.#watchers]) watcher.take(line);
  }
}

function parseLine(text: string): LogLine | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
