import { setTimeout as sleep } from 'node:timers/promises';
import type { SocketAddress } from '../config/socket-address.ts';
import { type InheritedSockets, ListenError } from '../dataplane/data-plane.ts';
import type { Ffi } from '../dataplane/epoll/libc.ts';
import type { SocketBag } from '../dataplane/epoll/socket-bag.ts';
import type { Endpoint } from '../dataplane/wire.ts';
import { formatEndpoint } from './endpoint.ts';
import { Predecessor } from './predecessor.ts';
import { type ManagerSearch, ServiceManager } from './service-manager.ts';
import { activatedSockets } from './socket-activation.ts';

/** How long a predecessor may take to let its admin address go. */
const ADMIN_MS = 5_000;
const ADMIN_RETRY_MS = 10;

export interface SurroundingsOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly admin: SocketAddress & { readonly tokenFile: string | null };
  /** Replace the daemon that runs at the admin address, if there is one. */
  readonly takesOver: boolean;
}

/** What is around a daemon that starts: sockets opened for it, a daemon to replace, a service manager to tell. */
export class Surroundings {
  readonly manager: ServiceManager | null;
  /** Why a service manager that wants to be told cannot be; null when all is well. */
  readonly managerFault: string | null;
  readonly #activated: SocketBag | null;
  readonly #predecessor: Predecessor | null;

  private constructor(
    { manager, fault }: ManagerSearch,
    activated: SocketBag | null,
    predecessor: Predecessor | null,
  ) {
    this.manager = manager;
    this.managerFault = fault;
    this.#activated = activated;
    this.#predecessor = predecessor;
  }

  /** Throws ListenError when the sockets or the predecessor cannot be had. */
  static async find({ env, admin, takesOver }: SurroundingsOptions): Promise<Surroundings> {
    const passed = activatedSockets(env, process.pid);
    // Children of ours are not meant.
    for (const name of ['LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES']) delete env[name];
    const manager = await ServiceManager.find(env, process.pid);
    if (passed.length === 0 && !takesOver) return new Surroundings(manager, null, null);
    const ffi = await systemCalls();
    const { SocketBag } = await import('../dataplane/epoll/socket-bag.ts');
    return new Surroundings(
      manager,
      passed.length === 0 ? null : new SocketBag(ffi.libc, passed, true),
      takesOver ? await Predecessor.find(admin, ffi) : null,
    );
  }

  get hasPredecessor(): boolean {
    return this.#predecessor !== null;
  }

  /** See DataPlaneOptions. */
  get joinsPredecessor(): boolean {
    return this.#predecessor?.isPortable === true;
  }

  /** The sockets that were opened for a listener: by the service manager or, failing that, by the predecessor. */
  socketsOf(listener: string, address: Endpoint): InheritedSockets | null {
    return (
      this.#activated?.take(listener, address) ?? this.#predecessor?.sockets.take(listener, address) ?? null
    );
  }

  /** Throws ListenError when the service manager has opened a socket that no listener wants: its clients would wait for ever. */
  expectAllTaken(): void {
    const [left] = this.#activated?.left ?? [];
    if (left === undefined) return;
    throw new ListenError(
      `the service manager passed a socket that listens on ${formatEndpoint(left)}, which is no listener's address (change ListenStream=, or name the listener in FileDescriptorName=)`,
    );
  }

  /**
   * Makes the predecessor, if there is one, drain, and opens the admin server in its place. What it throws after that
   * is thrown here.
   */
  async succeed<T>(openAdmin: () => Promise<T>): Promise<T> {
    await this.#predecessor?.retire();
    const deadline = performance.now() + ADMIN_MS;
    for (;;) {
      try {
        return await openAdmin();
      } catch (error) {
        if (!isInUse(error) || performance.now() > deadline) throw error;
        await sleep(ADMIN_RETRY_MS);
      }
    }
  }
}

async function systemCalls(): Promise<Ffi> {
  const { loadFfi } = await import('../dataplane/epoll/libc.ts');
  try {
    return loadFfi();
  } catch (cause) {
    throw new ListenError(
      `neither sockets of a service manager nor of a running daemon can be had here: ${cause}`,
      { cause },
    );
  }
}

function isInUse(error: unknown): boolean {
  if (!(error instanceof ListenError) || !(error.cause instanceof Error)) return false;
  return 'code' in error.cause && error.cause.code === 'EADDRINUSE';
}
