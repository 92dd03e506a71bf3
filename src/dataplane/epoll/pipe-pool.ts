import type { Libc } from './libc.ts';
import * as c from './libc.ts';

/** A large pipe halves the system calls of a bulk flow against the default 64 KiB. */
const PIPE_BYTES = 1024 * 1024;
/** Idle pipes cost descriptors; a burst's surplus is closed. */
const KEEP = 16;

/** A kernel pipe that a bulk flow splices through. `filled` is the bytes in it. */
export interface Pipe {
  readonly readEnd: number;
  readonly writeEnd: number;
  readonly capacity: number;
  filled: number;
}

/** Empty pipes for reuse. A flow takes one while it has bytes to move and gives it back empty. */
export class PipePool {
  readonly #libc: Libc;
  readonly #idle: Pipe[] = [];

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /** Null when the process is out of descriptors: the flow goes on copying. */
  take(): Pipe | null {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    const fds = new Int32Array(2);
    if (c.openPipe(this.#libc, fds) < 0) return null;
    const [readEnd = -1, writeEnd = -1] = fds;
    // Refused with EPERM beyond fs.pipe-user-pages-soft; the default size works, with more calls.
    const capacity = this.#libc.fcntl(writeEnd, c.F_SETPIPE_SZ, PIPE_BYTES);
    return { readEnd, writeEnd, capacity: capacity > 0 ? capacity : 65536, filled: 0 };
  }

  /** Takes a pipe back; one that still holds bytes is closed, never reused. */
  give(pipe: Pipe): void {
    if (pipe.filled === 0 && this.#idle.length < KEEP) {
      this.#idle.push(pipe);
      return;
    }
    this.#libc.close(pipe.readEnd);
    this.#libc.close(pipe.writeEnd);
  }
}
