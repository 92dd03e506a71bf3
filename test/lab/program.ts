import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, type FSWatcher, fstatSync, openSync, readSync, watch } from 'node:fs';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';

export interface ProgramOptions {
  /** Names its output file. */
  readonly name: string;
  readonly command: readonly string[];
  /** For its output, `NAME.log`. */
  readonly directory: string;
  /** By which line it says that it can be used. */
  readonly isReady: (line: string) => boolean;
}

interface Waiting {
  readonly look: () => boolean;
  readonly fail: (error: Error) => void;
}

const READY_WITHIN_MS = 20_000;

/**
 * A program that runs until it is told to end. It writes to a file, not to us, and is in no process group of ours: so it
 * can outlive us, and Ctrl-C is for us alone.
 */
export class Program {
  /** What it has written, stdout and stderr. */
  readonly lines: string[] = [];
  readonly #name: string;
  readonly #process: ChildProcess;
  readonly #file: number;
  readonly #watcher: FSWatcher;
  readonly #decoder = new StringDecoder();
  readonly #waiting = new Set<Waiting>();
  #offset: number;
  #partial = '';
  #ended = false;
  #isLeft = false;

  private constructor({ name, command, directory }: ProgramOptions) {
    const [first = '', ...args] = command;
    const file = join(directory, `${name}.log`);
    const output = openSync(file, 'a');
    this.#name = name;
    this.#file = openSync(file, 'r');
    // What an earlier program of this name wrote is none of its lines.
    this.#offset = fstatSync(this.#file).size;
    this.#watcher = watch(file, () => this.#read());
    this.#process = spawn(first, args, { detached: true, stdio: ['ignore', output, output] });
    closeSync(output);
    this.#process.once('exit', () => {
      if (!this.#isLeft) this.#read();
      this.#ended = true;
      this.#tell();
    });
  }

  /** Starts one and waits until it is ready. Throws with its last lines when it ends before that. */
  static async start(options: ProgramOptions): Promise<Program> {
    const program = new Program(options);
    try {
      await program.line(options.isReady, 0, READY_WITHIN_MS);
      return program;
    } catch (error) {
      program.leave();
      throw error;
    }
  }

  /** The first line from the `from`th on that matches, once it is there. Rejects when the program ends first, or it takes too long. */
  line(matches: (line: string) => boolean, from: number, withinMs: number): Promise<string> {
    return new Promise((resolve, reject) => {
      let next = from;
      const waiting: Waiting = {
        look: () => {
          while (next < this.lines.length) {
            const line = this.lines[next++] ?? '';
            if (!matches(line)) continue;
            clearTimeout(timer);
            resolve(line);
            return true;
          }
          return false;
        },
        fail: error => {
          clearTimeout(timer);
          reject(error);
        },
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(waiting);
        reject(new Error(`${this.#name} has not said it within ${withinMs} ms`));
      }, withinMs);
      this.#waiting.add(waiting);
      this.#tell();
    });
  }

  async stop(): Promise<void> {
    if (!this.#ended) {
      this.#process.kill();
      await once(this.#process, 'exit');
    }
    this.#letGo();
  }

  /** Does without it from now on, whether it runs or not. */
  leave(): void {
    this.#letGo();
    this.#process.unref();
  }

  #letGo(): void {
    if (this.#isLeft) return;
    this.#isLeft = true;
    this.#watcher.close();
    closeSync(this.#file);
  }

  #read(): void {
    const buffer = Buffer.alloc(64 * 1024);
    const read = () => readSync(this.#file, buffer, 0, buffer.length, this.#offset);
    for (let count = read(); count > 0; count = read()) {
      this.#offset += count;
      const lines = (this.#partial + this.#decoder.write(buffer.subarray(0, count))).split('\n');
      this.#partial = lines.pop() ?? '';
      this.lines.push(...lines);
    }
    this.#tell();
  }

  #tell(): void {
    for (const waiting of this.#waiting) {
      if (waiting.look()) this.#waiting.delete(waiting);
      else if (this.#ended) {
        this.#waiting.delete(waiting);
        const said = this.lines.slice(-20).join('\n');
        waiting.fail(new Error(`${this.#name} has ended; it said:\n${said}`));
      }
    }
  }
}
