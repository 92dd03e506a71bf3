import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { Peer } from './peer.ts';

/** A TCP server that a daemon dials. It serves nothing by itself: a test plays the server's part through the peers. */
export class Upstream {
  readonly port: number;
  /** In order of arrival. */
  readonly peers: Peer[] = [];
  readonly #server: Server;
  #arrived: () => void = () => {};

  private constructor(server: Server, port: number, serve: (peer: Peer) => void, keep: boolean) {
    this.#server = server;
    this.port = port;
    server.on('connection', (socket: Socket) => {
      const peer = new Peer(socket, keep);
      this.peers.push(peer);
      serve(peer);
      this.#arrived();
    });
  }

  /** `serve` is called for every connection; `keep` false: received bytes are only counted. */
  static async listen(
    serve: (peer: Peer) => void = () => {},
    { host = '127.0.0.1', keep = true } = {},
  ): Promise<Upstream> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    return new Upstream(server, await listenOn(server, host), serve, keep);
  }

  /** The `index`th connection, once it is there. */
  async peer(index = 0): Promise<Peer> {
    for (;;) {
      const peer = this.peers[index];
      if (peer !== undefined) return peer;
      await new Promise<void>(resolve => {
        this.#arrived = resolve;
      });
    }
  }

  async close(): Promise<void> {
    for (const { socket } of this.peers) socket.destroy();
    await new Promise<void>(resolve => this.#server.close(() => resolve()));
  }
}

/** Listens on a free port and returns it. */
export async function listenOn(server: Server, host = '127.0.0.1'): Promise<number> {
  server.listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not a TCP server');
  return address.port;
}

/** A port that nothing listens on, as far as one can know. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer();
  const port = await listenOn(server, host);
  await new Promise<void>(resolve => server.close(() => resolve()));
  return port;
}
