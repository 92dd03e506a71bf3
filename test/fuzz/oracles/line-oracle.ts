import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** A program that answers each line with a line. */
export class LineOracle {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting: { resolve: (line: string) => void; reject: (error: Error) => void }[] = [];
  #errors = '';

  constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args);
    this.#child.stdin.on('error', () => {});
    this.#child.stderr.on('data', chunk => {
      this.#errors = `${this.#errors}${chunk}`.slice(-2_000);
    });
    createInterface(this.#child.stdout).on('line', line => this.#waiting.shift()?.resolve(line));
    const fail = () => {
      for (const { reject } of this.#waiting.splice(0))
        reject(new Error(`${command} has ended: ${this.#errors}`));
    };
    this.#child.on('error', fail);
    this.#child.on('close', fail);
  }

  /** Rejects when the program ends instead of answering. */
  ask(line: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#child.stdin.write(`${line}\n`);
    });
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
