/** A service manager, if one wants to be told, or why it cannot be told. */
export interface ManagerSearch {
  readonly manager: ServiceManager | null;
  readonly fault: string | null;
}

/** Tells systemd, or whoever speaks sd_notify(3), how the daemon is. */
export class ServiceManager {
  readonly #send: (bytes: Buffer) => void;
  readonly #watchdogMs: number;
  #watchdog: NodeJS.Timeout | null = null;

  private constructor(send: (bytes: Buffer) => void, watchdogMs: number) {
    this.#send = send;
    this.#watchdogMs = watchdogMs;
  }

  /** Finds who is named in NOTIFY_SOCKET. What cannot be told is no reason not to serve. */
  static async find(env: NodeJS.ProcessEnv, pid: number): Promise<ManagerSearch> {
    const path = env.NOTIFY_SOCKET ?? '';
    if (path === '') return { manager: null, fault: null };
    try {
      return { manager: await ServiceManager.#connect(path, env, pid), fault: null };
    } catch (error) {
      return {
        manager: null,
        fault: `the service manager at NOTIFY_SOCKET=${path} cannot be told: ${error}`,
      };
    }
  }

  static async #connect(path: string, env: NodeJS.ProcessEnv, pid: number): Promise<ServiceManager> {
    const { loadFfi, MSG_NOSIGNAL, SOCK_DGRAM } = await import('../dataplane/epoll/libc.ts');
    const { connectUnix, UNIX_ADDRESS_BYTES } = await import('../dataplane/epoll/unix-socket.ts');
    const ffi = loadFfi();
    const fd = connectUnix(ffi.libc, path, SOCK_DGRAM, ffi.pin(UNIX_ADDRESS_BYTES));
    const isForUs = env.WATCHDOG_PID === undefined || Number(env.WATCHDOG_PID) === pid;
    const watchdogMs = isForUs ? Number(env.WATCHDOG_USEC ?? 0) / 1_000 : 0;
    const send = (bytes: Buffer) => void ffi.libc.send(fd, bytes, bytes.length, MSG_NOSIGNAL);
    return new ServiceManager(send, watchdogMs);
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
    this.#send(Buffer.from(state));
  }
}
