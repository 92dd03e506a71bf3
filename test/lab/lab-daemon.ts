import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Namespaces, RunResult } from '../support/namespaces.ts';
import type { Room } from './addresses.ts';
import { Program } from './program.ts';

/** One line of the daemon's log. */
export type LogLine = Readonly<Record<string, unknown>>;

export interface LabDaemonOptions {
  readonly rooms: Namespaces<Room>;
  /** The built program. */
  readonly main: string;
  /** For its files; whoever it runs as must be able to read there. */
  readonly directory: string;
  /** Whom it runs as. */
  readonly uid: number;
  /** As CapabilityBoundingSet and AmbientCapabilities of a unit have them: `CAP_NET_RAW`, say. */
  readonly capabilities: readonly string[];
  readonly config: Readonly<Record<string, unknown>>;
  readonly policy: Readonly<Record<string, unknown>>;
}

/** Where its admin HTTP is by default. */
const ADMIN = '127.0.0.1:9464';
const RECORD_WITHIN_MS = 30_000;

/** The real daemon in the gateway's room, as somebody who may do nothing but what its unit allows. */
export class LabDaemon {
  readonly configPath: string;
  readonly #options: LabDaemonOptions;
  #program: Program | null = null;
  #next = 0;

  constructor(options: LabDaemonOptions) {
    const { directory, config, policy } = options;
    this.#options = options;
    this.configPath = join(directory, 'sallyport.yaml');
    // JSON is YAML.
    writeFileSync(this.configPath, JSON.stringify(config, null, 2));
    writeFileSync(join(directory, 'policy.yaml'), JSON.stringify(policy, null, 2));
  }

  async start(): Promise<void> {
    const { rooms, main, directory, uid, capabilities } = this.#options;
    this.#next = 0;
    this.#program = await Program.start({
      name: 'sallyport',
      directory,
      command: [
        ...rooms.prefix('gateway'),
        'setpriv',
        ...asUser(uid, capabilities),
        ...[process.execPath, main, 'run', '-c', this.configPath],
      ],
      isReady: line => parse(line)?.event === 'ready',
    });
  }

  /** Runs it without any capability, to its end; gives back what it complains of. */
  async startWithoutCapabilities(): Promise<string> {
    const { rooms, main, uid } = this.#options;
    const command = [...asUser(uid, []), process.execPath, main, 'run', '-c', this.configPath];
    const { code, stdout, stderr } = await rooms.run('gateway', 'setpriv', command);
    return `exit ${code}: ${stderr || stdout}`.trim();
  }

  async stop(): Promise<void> {
    await this.#program?.stop();
    this.#program = null;
  }

  leave(): void {
    this.#program?.leave();
  }

  /** Runs one of its commands in the gateway's room, as root. */
  command(...args: readonly string[]): Promise<RunResult> {
    return this.#options.rooms.run('gateway', process.execPath, [this.#options.main, ...args]);
  }

  /** Whether an address is allowed, as far as the daemon knows now. */
  async allows(address: string, port: number): Promise<boolean> {
    const question = JSON.stringify({ host: address, port, from: '192.0.2.1' });
    const json = ['--header', 'Content-Type: application/json', '--data', question];
    const url = `http://${ADMIN}/api/v1/explain`;
    const { stdout } = await this.#options.rooms.run('gateway', 'curl', ['--silent', ...json, url]);
    return parse(stdout)?.action === 'allow';
  }

  /** The next `count` decision records that nobody had yet, and whatever others are there already. Rejects when they do not come. */
  async decisions(count: number): Promise<LogLine[]> {
    const program = this.#program;
    const found: LogLine[] = [];
    if (program === null) return found;
    const take = (line: string) => {
      const record = parse(line);
      return record?.event === 'decision' && found.push(record) > 0;
    };
    while (found.length < count) {
      const line = await program.line(take, this.#next, RECORD_WITHIN_MS);
      this.#next = program.lines.indexOf(line, this.#next) + 1;
    }
    program.lines.slice(this.#next).forEach(take);
    this.#next = program.lines.length;
    return found;
  }
}

/** Options of setpriv: this user, with these capabilities and no way to others. */
function asUser(uid: number, capabilities: readonly string[]): string[] {
  const names = capabilities.map(name => `+${name.replace('CAP_', '').toLowerCase()}`);
  const set = ['-all', ...names].join(',');
  const user = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups', '--no-new-privs'];
  return [...user, `--bounding-set=${set}`, `--inh-caps=${set}`, `--ambient-caps=${set}`];
}

function parse(text: string): LogLine | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}
