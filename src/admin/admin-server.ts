import { createServer, type ServerOptions } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { DaemonConfig } from '../config/daemon-config.ts';
import type { SocketAddress } from '../config/socket-address.ts';
import { ListenError, listenFailure } from '../dataplane/data-plane.ts';
import { IpAddress } from '../policy/address.ts';
import { adminApp } from './admin-app.ts';
import { TokenFile } from './bearer-token.ts';
import type { DaemonApi } from './daemon-api.ts';

/** How long a slow client may keep a connection; milliseconds. */
export type AdminTimeouts = Pick<
  Required<ServerOptions>,
  'headersTimeout' | 'requestTimeout' | 'keepAliveTimeout' | 'connectionsCheckingInterval'
> & {
  /** Without a byte in either direction. */
  readonly idleTimeout: number;
};

const TIMEOUTS: AdminTimeouts = {
  headersTimeout: 5_000,
  // A policy of 64 MiB is received in this time.
  requestTimeout: 60_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
  // As long as a command waits for a large policy.
  idleTimeout: 180_000,
};
const MAX_HEADER_BYTES = 8 * 1024;
const MAX_HEADERS = 128;
const MAX_CONNECTIONS = 256;

export interface AdminServer {
  /** Where it really listens. */
  readonly address: SocketAddress;
  /** Lets the address go; questions under way are still answered. */
  leave(): void;
  close(): Promise<void>;
}

/** Serves the admin HTTP. Throws ListenError when the address cannot be had, or the token file is of no use. */
export async function startAdminServer(
  { host, port, tokenFile, tokenFor, hostnames }: DaemonConfig['admin'],
  daemon: DaemonApi,
  { idleTimeout, ...timeouts }: AdminTimeouts = TIMEOUTS,
): Promise<AdminServer> {
  const ip = IpAddress.parse(host);
  if (ip === null) throw new ListenError(`admin: ${host} is no IP address`);
  const token = tokenFile === null ? null : await openToken(tokenFile, daemon);
  const app = adminApp(daemon, { isLoopback: isLoopback(ip), hostnames, token, tokenFor });
  const answer = getRequestListener(app.fetch);
  const options = { ...timeouts, maxHeaderSize: MAX_HEADER_BYTES, insecureHTTPParser: false };
  const server = createServer(options, (request, response) => {
    // Node leaves out the headers beyond the number: an Origin, say.
    if (request.rawHeaders.length < 2 * MAX_HEADERS) return answer(request, response);
    response.writeHead(431, { connection: 'close' }).end();
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.maxHeadersCount = MAX_HEADERS;
  server.setTimeout(idleTimeout);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new ListenError(listenFailure('admin', { ip, port }, error.code), { cause: error })),
    );
    server.listen(port, host, resolve);
  });
  const bound = server.address();
  return {
    address: { host, port: bound !== null && typeof bound === 'object' ? bound.port : port },
    leave: () => {
      server.close();
    },
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function openToken(file: string, daemon: DaemonApi): Promise<TokenFile> {
  const token = new TokenFile(file, fault => daemon.reportTokenFile(fault));
  const { fault, warning } = await token.check();
  if (fault !== null) throw new ListenError(`admin: ${fault}`);
  if (warning !== null) daemon.reportTokenFile(warning);
  return token;
}

function isLoopback(ip: IpAddress): boolean {
  return ip.family === 4 ? ip.words[3] >>> 24 === 127 : ip.toString() === '::1';
}
