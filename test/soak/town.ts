import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { buildClientHello, concat, record } from '../support/client-hello.ts';
import { type DnsReply, type DnsServer, startDnsServer } from '../support/dns-server.ts';
import { buildHelloRetryRequest, buildServerHello } from '../support/server-hello.ts';
import { freePort } from '../support/upstream.ts';

/** What an upstream does with a connection whose hello has come. */
const MANNERS = {
  served: answerAndFollow,
  bulk: socket => answerAndFollow(socket, BULK),
  closes: socket => socket.end(ANSWER),
  resets: socket => socket.resetAndDestroy(),
  quits: answerAndFollow,
  half: answerAndFollow,
  retry: askAgain,
  switched: askAgain,
  connect: answerAndFollow,
  socks: answerAndFollow,
  shaky: answerAndFollow,
} satisfies Record<string, (socket: Socket) => void>;

export type Role = keyof typeof MANNERS | 'http' | 'gone';

const ROLES: readonly Role[] = [...(Object.keys(MANNERS) as (keyof typeof MANNERS)[]), 'http', 'gone'];
/** A server's choice and a kilobyte behind it. */
export const ANSWER = concat(buildServerHello(), record(23, new Uint8Array(1024).fill(1)));
const BULK = concat(ANSWER, ...Array.from({ length: 32 }, () => record(23, new Uint8Array(16_000).fill(2))));
export const BULK_BYTES = BULK.length;
export const RETRY = buildHelloRetryRequest();
export const HTTP_BODY = 'hello\n';
const SHAKY_UP_MS = 2_000;
const SHAKY_DOWN_MS = 150;
const TTL = 30;

/** The hello that names a host of the town. */
export function helloFor(label: string): Uint8Array {
  return buildClientHello({ serverName: hostOf(label) });
}

export function hostOf(label: string): string {
  return `${label}.soak.test`;
}

/** What an upstream has seen. */
export interface Seen {
  connections: number;
  received: number;
}

/** The upstreams, each at a loopback address of its own and all on one port, and the DNS that knows them. */
export class Town {
  readonly port: number;
  readonly dns: DnsServer;
  readonly seen = new Map<Role, Seen>();
  readonly #servers: Server[] = [];
  readonly #shaky: { timer: NodeJS.Timeout | null; restarts: number } = { timer: null, restarts: 0 };

  private constructor(port: number, dns: DnsServer) {
    this.port = port;
    this.dns = dns;
  }

  static async build(): Promise<Town> {
    const town = new Town(
      await freePort('127.77.0.1'),
      await startDnsServer(({ name, type }) => resolve(name, type)),
    );
    for (const [role, manner] of Object.entries(MANNERS) as [
      keyof typeof MANNERS,
      (socket: Socket) => void,
    ][]) {
      const server = town.#serverOf(role, manner);
      if (role === 'shaky') await town.#shake(server);
      else await listen(server, role, town.port);
    }
    const http = createHttpServer((request, response) => {
      request.resume().on('end', () => response.end(HTTP_BODY));
    });
    town.#servers.push(http);
    await listen(http, 'http', town.port);
    return town;
  }

  /** How often the shaky upstream has gone away. */
  get restarts(): number {
    return this.#shaky.restarts;
  }

  /** Keeps the shaky upstream up from now on. */
  calm(): void {
    if (this.#shaky.timer !== null) clearTimeout(this.#shaky.timer);
    this.#shaky.timer = null;
  }

  async close(): Promise<void> {
    this.calm();
    for (const server of this.#servers) server.close();
    await this.dns.close();
  }

  #serverOf(role: keyof typeof MANNERS, manner: (socket: Socket) => void): Server {
    const seen: Seen = { connections: 0, received: 0 };
    this.seen.set(role, seen);
    const expected = helloFor(role).length;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
      seen.connections++;
      let received = 0;
      socket.on('data', bytes => {
        seen.received += bytes.length;
        const before = received;
        received += bytes.length;
        if (before < expected && received >= expected) manner(socket);
      });
      socket.on('error', () => socket.destroy());
    });
    this.#servers.push(server);
    return server;
  }

  /** An upstream that goes away with all its connections, and comes back. */
  async #shake(server: Server): Promise<void> {
    const open = new Set<Socket>();
    server.on('connection', socket => {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
    });
    const down = () => {
      this.#shaky.restarts++;
      server.close();
      for (const socket of open) socket.resetAndDestroy();
      this.#shaky.timer = setTimeout(up, SHAKY_DOWN_MS);
    };
    const up = () => {
      server.listen(this.port, addressOf('shaky'));
      this.#shaky.timer = setTimeout(down, SHAKY_UP_MS);
    };
    await listen(server, 'shaky', this.port);
    this.#shaky.timer = setTimeout(down, SHAKY_UP_MS);
  }
}

function addressOf(role: Role): string {
  return `127.77.0.${1 + ROLES.indexOf(role)}`;
}

async function listen(server: Server, role: Role, port: number): Promise<void> {
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen(port, addressOf(role), () => done());
  });
}

function resolve(name: string, type: string): DnsReply {
  const label = name.endsWith('.soak.test') ? name.slice(0, -'.soak.test'.length) : '';
  if (label.startsWith('fail-')) return 'SERVFAIL';
  if (label === 'mute') return 'silence';
  const role = ROLES.find(each => each === label);
  if (role === undefined) return 'NXDOMAIN';
  return type === 'A' ? [{ type: 'A', data: addressOf(role), ttl: TTL }] : [];
}

function answerAndFollow(socket: Socket, answer: Uint8Array = ANSWER): void {
  socket.write(answer);
  socket.on('end', () => socket.end());
}

/** Asks for a second hello, and answers that. */
function askAgain(socket: Socket): void {
  socket.write(RETRY);
  socket.once('data', () => answerAndFollow(socket));
  socket.on('end', () => socket.end());
}
