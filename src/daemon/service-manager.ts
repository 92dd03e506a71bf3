import type { Ffi } from '../dataplane/epoll/libc.ts';
import * as c from '../dataplane/epoll/libc.ts';
import { connectUnix, UNIX_ADDRESS_BYTES } from '../dataplane/epoll/unix-socket.ts';

/** Tells systemd, or whoever speaks sd_notify(3), how the daemon is. */
export class ServiceManager {
  readonly #ffi: Ffi;
  readonly #fd: number;
  readonly #watchdogMs: number;
  #watchdog: NodeJS.Timeout | null = null;

  private constructor(ffi: Ffi, fd: number, watchdogMs: number) {
    this.#ffi = ffi;
    this.#fd = fd;
    this.#watchdogMs = watchdogMs;
  }

  /** Null when nobody wants to be told (NOTIFY_SOCKET). Throws when the socket that is named cannot be had. */
  static find(env: NodeJS.ProcessEnv, pid: number, ffi: Ffi): ServiceManager | null {
    const path = env.NOTIFY_SOCKET;
    if (path === undefined || path === '') return null;
    const fd = connectUnix(ffi.libc, path, c.SOCK_DGRAM, ffi.pin(UNIX_ADDRESS_BYTES));
    const isForUs = env.WATCHDOG_PID === undefined || Number(env.WATCHDOG_PID) === pid;
    const watchdogMs = isForUs ? Number(env.WATCHDOG_USEC ?? 0) / 1_000 : 0;
    return new ServiceManager(ffi, fd, watchdogMs);
  }

  /** From now on it serves, and says at intervals that it is alive where that is watched. */
  ready(status: string): void {
    this.#tell(`READY=1\nSTATUS=${status}`);
    if (!(this.#watchdogMs > 0)) return;
    this.#watchdog = setInterval(() => this.#tell('WATCHDOG=1'), this.#watchdogMs / 3);
    this.#watchdog.unref();
  }

  /** It is ending, which takes `timeoutMs` at most, whatever the manager's own patience is. */
  stopping(status: string, timeoutMs: number): void {
    this.#tell(`STOPPING=1\nSTATUS=${status}\nEXTEND_TIMEOUT_USEC=${Math.ceil(timeoutMs) * 1_000}`);
  }

  status(status: string): void {
    this.#tell(`STATUS=${status}`);
  }

  /** A manager that does not listen misses it; nothing of ours depends on that. */
  #tell(state: string): void {
    const bytes = Buffer.from(state);
    this.#ffi.libc.send(this.#fd, bytes, bytes.length, c.MSG_NOSIGNAL);
  }
}
