import { once } from 'node:events';
import { createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { IpAddress } from '../../policy/address.ts';
import { type DataPlaneOptions, ListenError, type ListenerAddress, listenFailure } from '../data-plane.ts';
import type { Listener } from '../listener.ts';
import type { Endpoint } from '../wire.ts';

const KEEPALIVE_MS = 120_000;
/** Lets a successor listen at our address. Node knows `reusePort` from 22.12 on, and ignores it before. */
const SHARED = { reusePort: process.platform === 'linux' };

/** A listener with its servers: one, or one for each socket that it inherits. */
export interface NodeListener {
  readonly name: string;
  readonly address: Endpoint;
  readonly servers: readonly Server[];
}

type Where = ListenOptions | { readonly fd: number };
type Accept = (socket: Socket, listener: Listener, index: number) => void;

/** Binds every listener. Throws ListenError and leaves nothing open. */
export async function listenOnAll(
  { listeners, joinsPredecessor }: Pick<DataPlaneOptions, 'listeners' | 'joinsPredecessor'>,
  accept: Accept,
): Promise<NodeListener[]> {
  const opened: Server[] = [];
  const open = async (each: ListenerAddress, index: number, where: Where) => {
    const server = createServer(
      { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_MS },
      socket => accept(socket, each.listener, index),
    );
    await listenOrExplain(server, each, where);
    // Out of descriptors, node:net sheds clients by itself as far as it can; what it cannot is no reason to end.
    server.on('error', () => {});
    opened.push(server);
    return server;
  };
  try {
    const bound: NodeListener[] = [];
    for (const [index, each] of listeners.entries()) {
      const { listener, address, inherited } = each;
      const own: ListenOptions = { host: address.ip.toString(), port: address.port };
      if (inherited === null && address.port !== 0 && !joinsPredecessor) await expectUnused(each, own);
      const shared: Where = { ...own, ...SHARED };
      const places = inherited?.fds.map((fd): Where => ({ fd })) ?? [shared];
      const servers: Server[] = [];
      for (const where of places) servers.push(await open(each, index, where));
      bound.push({ name: listener.name, address: boundTo(servers[0]), servers });
    }
    return bound;
  } catch (error) {
    for (const server of opened) server.close();
    throw error;
  }
}

/** Throws ListenError when somebody listens there already, whom a shared address would join unasked. */
async function expectUnused(listener: ListenerAddress, where: ListenOptions): Promise<void> {
  const probe = createServer();
  await listenOrExplain(probe, listener, where);
  probe.close();
  await once(probe, 'close');
}

async function listenOrExplain(
  server: Server,
  { listener, address }: ListenerAddress,
  where: Where,
): Promise<void> {
  server.listen(where);
  try {
    await once(server, 'listening');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ListenError(listenFailure(`listener ${listener.name}`, address, code), { cause: error });
  }
}

function boundTo(server: Server | undefined): Endpoint {
  const address = server?.address() ?? null;
  const ip = address === null || typeof address === 'string' ? null : IpAddress.parse(address.address);
  if (ip === null || address === null || typeof address === 'string')
    throw new Error('the server is not listening');
  return { ip, port: address.port };
}
