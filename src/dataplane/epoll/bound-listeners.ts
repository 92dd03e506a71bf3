import { getSystemErrorName } from 'node:util';
import { ListenError, type ListenerAddress, listenFailure } from '../data-plane.ts';
import type { Listener } from '../listener.ts';
import type { Endpoint } from '../wire.ts';
import type { Libc } from './libc.ts';
import * as c from './libc.ts';
import { adoptListener, expectUnused, localAddress, openListener } from './sockets.ts';

/** A listener with its sockets. */
export interface BoundListener {
  readonly listener: Listener;
  readonly address: Endpoint;
  /** See InheritedSockets. */
  readonly areKept: boolean;
  /** For each worker descriptors of its own, one at least. */
  readonly workers: readonly (readonly number[])[];
}

export interface BindOptions {
  readonly listeners: readonly ListenerAddress[];
  readonly workers: number;
  readonly joinsPredecessor: boolean;
}

/**
 * Binds every listener: one socket a worker on the same address, or the sockets that it inherits, shared out among the
 * workers. Throws ListenError and leaves nothing open.
 */
export function bindListeners(
  libc: Libc,
  { listeners, workers, joinsPredecessor }: BindOptions,
): BoundListener[] {
  const opened: number[] = [];
  const keep = (fd: number) => {
    opened.push(fd);
    return fd;
  };
  try {
    return listeners.map(({ listener, address, inherited }) => {
      const isTproxy = listener.kind === 'transparent' && listener.intercept === 'tproxy';
      return explained(listener, address, () => {
        if (inherited !== null) {
          const { fds, areKept } = inherited;
          return { listener, areKept, ...adopt(libc, fds, workers, isTproxy, keep) };
        }
        if (address.port !== 0 && !joinsPredecessor) expectUnused(libc, address.ip, address.port, isTproxy);
        const first = keep(openListener(libc, address.ip, address.port, isTproxy));
        const bound = localAddress(libc, first);
        const others = Array.from({ length: workers - 1 }, () =>
          keep(openListener(libc, bound.ip, bound.port, isTproxy)),
        );
        return { listener, areKept: false, address: bound, workers: [first, ...others].map(fd => [fd]) };
      });
    });
  } catch (error) {
    for (const fd of opened) libc.close(fd);
    throw error;
  }
}

/** Every socket is served by a worker, and every worker serves one: with fewer sockets than workers they are shared. */
function adopt(
  libc: Libc,
  fds: readonly number[],
  workers: number,
  isTproxy: boolean,
  keep: (fd: number) => number,
): { address: Endpoint; workers: number[][] } {
  const shares: number[][] = Array.from({ length: workers }, () => []);
  for (const fd of fds) {
    keep(fd);
    adoptListener(libc, fd, isTproxy);
  }
  for (const [i, fd] of fds.entries()) shares[i % workers]?.push(fd);
  for (const [i, share] of shares.entries()) {
    const shared = fds[i % fds.length];
    if (share.length > 0 || shared === undefined) continue;
    const own = libc.fcntl(shared, c.F_DUPFD_CLOEXEC, 0);
    if (own < 0) throw new c.SystemCallError('fcntl', libc.errno());
    share.push(keep(own));
  }
  const [first = -1] = fds;
  return { address: localAddress(libc, first), workers: shares };
}

function explained<T>(listener: Listener, { ip, port }: Endpoint, bind: () => T): T {
  try {
    return bind();
  } catch (error) {
    if (!(error instanceof c.SystemCallError)) throw error;
    const code = getSystemErrorName(-error.errno);
    throw new ListenError(listenFailure(`listener ${listener.name}`, { ip, port }, code), { cause: error });
  }
}
