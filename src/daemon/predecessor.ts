import { Agent, request } from 'node:http';
import { readTokenFile } from '../admin/bearer-token.ts';
import { formatSocketAddress, type SocketAddress } from '../config/socket-address.ts';
import { ListenError } from '../dataplane/data-plane.ts';
import type { Ffi } from '../dataplane/epoll/libc.ts';
import { SocketBag } from '../dataplane/epoll/socket-bag.ts';
import { SocketReceiver } from '../dataplane/epoll/socket-passing.ts';

const ANSWER_MS = 5_000;
const MAX_ANSWER_BYTES = 64 * 1024;

type AdminConfig = SocketAddress & { readonly tokenFile: string | null };

/** The daemon that runs at our admin address, and that we are to replace. */
export class Predecessor {
  /** Its listening sockets, on which it serves too until it retires. The portable data plane has none to give. */
  readonly sockets: SocketBag;
  /** It could not give any. */
  readonly isPortable: boolean;
  readonly #admin: AdminConfig;
  readonly #key: string;

  private constructor(admin: AdminConfig, sockets: SocketBag, key: string) {
    this.#admin = admin;
    this.sockets = sockets;
    this.isPortable = sockets.left.length === 0;
    this.#key = key;
  }

  /** Asks for its sockets. Null when nobody is there. Throws ListenError when whoever is there gives none. */
  static async find(admin: AdminConfig, ffi: Ffi): Promise<Predecessor | null> {
    if (admin.port === 0)
      throw new ListenError('take over: admin.address needs a port by which the running daemon is found');
    const receiver = new SocketReceiver(ffi);
    try {
      const answer = await post(admin, '/-/take-over', { socket: receiver.path });
      if (answer === null) return null;
      const received = receiver.receive();
      if (answer.status !== 200) throw refused(admin, `${answer.status}: ${answer.body.trim()}`);
      if (received === null) throw refused(admin, 'it runs as another user');
      const sockets = received.fds.map(fd => ({ fd, name: null }));
      return new Predecessor(admin, new SocketBag(ffi.libc, sockets, false), received.key);
    } finally {
      receiver.close();
    }
  }

  /** Makes it drain, and give its admin address up at once. Throws ListenError when it refuses. */
  async retire(): Promise<void> {
    this.sockets.close();
    const answer = await post(this.#admin, '/-/retire', { key: this.#key });
    // One that is gone has retired.
    if (answer !== null && answer.status !== 200)
      throw refused(this.#admin, `${answer.status}: ${answer.body}`);
  }
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Null when nobody listens there. Throws ListenError when there is no answer in time, or none of HTTP. */
async function post(
  { host, port, tokenFile }: AdminConfig,
  path: string,
  body: unknown,
): Promise<Answer | null> {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (tokenFile !== null) headers.authorization = `Bearer ${await tokenIn(tokenFile)}`;
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') resolve(null);
      else reject(refused({ host, port }, error.code ?? error.message, error));
    };
    // An agent of its own: the global one follows the proxy variables where NODE_USE_ENV_PROXY is set.
    const options = { method: 'POST', host: reachable(host), port, path, headers, agent: new Agent() };
    const asking = request({ ...options, signal: AbortSignal.timeout(ANSWER_MS) }, response => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= MAX_ANSWER_BYTES) chunks.push(chunk);
      });
      response.on('error', fail);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
      );
    });
    asking.on('error', fail);
    asking.end(JSON.stringify(body));
  });
}

async function tokenIn(file: string): Promise<string> {
  const read = await readTokenFile(file);
  if (!read.ok) throw new ListenError(`take over: ${read.message}`);
  return read.token;
}

/** An address that listens everywhere is asked on loopback. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

function refused(admin: SocketAddress, why: string, cause?: Error): ListenError {
  return new ListenError(
    `take over: what answers at the admin address ${formatSocketAddress(admin)} does not hand over: ${why} (stop it, or start without --take-over)`,
    { cause },
  );
}
