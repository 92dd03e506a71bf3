import type { Libc } from './libc.ts';

/** Descriptors are numbered from below: those of a million flows fit. What is beyond is not kept track of. */
const MAX_DESCRIPTORS = 4 * 1024 * 1024;
const BITS = 32;

/**
 * The descriptors that one worker has open, in shared memory: they belong to the process and outlive a thread that
 * dies, so that whoever sees to its end has to know them. A bit each.
 */
export class FdLedger {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(buffer = new SharedArrayBuffer(MAX_DESCRIPTORS / 8)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
  }

  add(fd: number): void {
    const word = fd >>> 5;
    if (word < this.#words.length) this.#words[word] = (this.#words[word] ?? 0) | (1 << (fd % BITS));
  }

  remove(fd: number): void {
    const word = fd >>> 5;
    if (word < this.#words.length) this.#words[word] = (this.#words[word] ?? 0) & ~(1 << (fd % BITS));
  }

  /** What is open, in order. */
  open(): number[] {
    const fds: number[] = [];
    for (const [word, bits] of this.#words.entries()) {
      if (bits === 0) continue;
      for (let bit = 0; bit < BITS; bit++) if (bits & (1 << bit)) fds.push(word * BITS + bit);
    }
    return fds;
  }
}

/**
 * The same system calls, with what they open and close entered. A thread may be ended between any two steps: so a
 * descriptor is entered after it was opened and struck out before it is closed, and one in the ledger is never somebody
 * else's.
 */
export function recorded(libc: Libc, ledger: FdLedger): Libc {
  const entered = (fd: number) => {
    if (fd >= 0) ledger.add(fd);
    return fd;
  };
  return {
    ...libc,
    socket: (family, type, protocol) => entered(libc.socket(family, type, protocol)),
    accept4: (fd, address, length, flags) => entered(libc.accept4(fd, address, length, flags)),
    epollCreate1: flags => entered(libc.epollCreate1(flags)),
    eventfd: (initial, flags) => entered(libc.eventfd(initial, flags)),
    pipe2: (fds, flags) => {
      const result = libc.pipe2(fds, flags);
      if (result >= 0) for (const fd of fds) ledger.add(fd);
      return result;
    },
    close: fd => {
      ledger.remove(fd);
      return libc.close(fd);
    },
  };
}
