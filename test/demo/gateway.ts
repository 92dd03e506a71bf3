import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A daemon on free ports in a directory of its own, and the commands that ask it. */
export class Gateway {
  readonly directory = mkdtempSync(join(tmpdir(), 'sallyport-demo-'));
  readonly configPath = join(this.directory, 'sallyport.yaml');
  readonly policyPath = join(this.directory, 'policy.yaml');
  readonly #main: string;
  #daemon: ChildProcess | null = null;
  #admin = '';
  readonly #lines: string[] = [];
  readonly #looking = new Set<() => void>();
  proxyPort = 0;

  /** `main`: the program, as `npm run build` leaves it. */
  constructor(main: string) {
    this.#main = main;
  }

  async start(policy: string, hosts: Readonly<Record<string, string>>): Promise<void> {
    writeFileSync(this.policyPath, policy);
    // JSON is YAML.
    const config = {
      version: 1,
      gateway: 'demo-gateway',
      policy: './policy.yaml',
      listeners: [{ name: 'proxy', kind: 'explicit', address: '127.0.0.1:0' }],
      admin: { address: '127.0.0.1:0' },
      dns: { hosts },
      // The sites of this story are on loopback.
      destinations: { allow: ['127.0.0.0/8'] },
      log: { fold: '0s' },
    };
    writeFileSync(this.configPath, JSON.stringify(config));
    const daemon = spawn(process.execPath, [this.#main, 'run', '-c', this.configPath], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#daemon = daemon;
    createInterface({ input: daemon.stdout }).on('line', line => {
      this.#lines.push(line);
      for (const look of this.#looking) look();
    });
    const ready = JSON.parse(await this.line(({ event }) => event === 'ready'));
    this.#admin = `http://${ready.admin}`;
    this.proxyPort = Number(/proxy on 127\.0\.0\.1:(\d+)/.exec(ready.msg)?.[1]);
  }

  /** The first line of the log whose record matches, once it is there. */
  line(matches: (record: Readonly<Record<string, unknown>>) => boolean): Promise<string> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = this.#lines.find(line => matches(JSON.parse(line)));
        if (found === undefined) return;
        this.#looking.delete(look);
        resolve(found);
      };
      this.#looking.add(look);
      this.#daemon?.once('exit', code => reject(new Error(`the daemon ended with ${code}`)));
      look();
    });
  }

  /** The log so far, as a file. */
  saveLog(): string {
    const file = join(this.directory, 'sallyport.log');
    writeFileSync(file, `${this.#lines.join('\n')}\n`);
    return file;
  }

  /** Runs a command of sallyport's against the daemon. */
  run(...args: readonly string[]): Promise<Ran> {
    return new Promise(resolve => {
      execFile(
        process.execPath,
        [this.#main, ...args],
        { env: { ...process.env, SALLYPORT_ADMIN: this.#admin, NO_COLOR: '1' }, maxBuffer: 64 * 1024 * 1024 },
        (error, stdout, stderr) =>
          resolve({
            code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1,
            stdout,
            stderr,
          }),
      );
    });
  }

  async stop(): Promise<void> {
    if (this.#daemon?.exitCode === null) {
      this.#daemon.kill('SIGTERM');
      await once(this.#daemon, 'exit');
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}
