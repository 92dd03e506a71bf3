import type { ForeignSocket } from '../dataplane/epoll/socket-bag.ts';

/** sd_listen_fds(3): the first descriptor that a service manager passes. */
const FIRST_FD = 3;

/** The sockets that a service manager has opened for this process (LISTEN_FDS); empty when there is none. */
export function activatedSockets(env: NodeJS.ProcessEnv, pid: number): ForeignSocket[] {
  const count = Number(env.LISTEN_FDS ?? 0);
  // A process that was not meant inherits the variables too.
  if (Number(env.LISTEN_PID) !== pid || !Number.isInteger(count) || count < 1) return [];
  const names = env.LISTEN_FDNAMES?.split(':') ?? [];
  return Array.from({ length: count }, (_, i) => ({ fd: FIRST_FD + i, name: names[i] ?? null }));
}
