import { readFileSync } from 'node:fs';
import { createAdaptorServer } from '@hono/node-server';
import type { SocketAddress } from '../config/socket-address.ts';
import { ListenError, listenFailure } from '../dataplane/data-plane.ts';
import { IpAddress } from '../policy/address.ts';
import { adminApp } from './admin-app.ts';
import type { DaemonApi } from './daemon-api.ts';

const MIN_TOKEN_LENGTH = 16;

export interface AdminServer {
  /** Where it really listens. */
  readonly address: SocketAddress;
  /** Lets the address go; questions under way are still answered. */
  leave(): void;
  close(): Promise<void>;
}

/** Serves the admin HTTP. Throws ListenError when the address cannot be had, or the token file not be read. */
export async function startAdminServer(
  { host, port, tokenFile }: SocketAddress & { readonly tokenFile: string | null },
  daemon: DaemonApi,
): Promise<AdminServer> {
  const ip = IpAddress.parse(host);
  if (ip === null) throw new ListenError(`admin: ${host} is no IP address`);
  const app = adminApp(daemon, { isLoopback: isLoopback(ip), token: readToken(tokenFile) });
  const server = createAdaptorServer({ fetch: app.fetch });
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
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
}

function readToken(file: string | null): string | null {
  if (file === null) return null;
  try {
    const token = readFileSync(file, 'utf8').trim();
    if (token.length >= MIN_TOKEN_LENGTH) return token;
  } catch (error) {
    throw new ListenError(`admin: cannot read tokenFile ${file}: ${error}`, { cause: error });
  }
  throw new ListenError(
    `admin: tokenFile ${file} holds fewer than ${MIN_TOKEN_LENGTH} characters (head -c 32 /dev/urandom | base64 makes a good token)`,
  );
}

function isLoopback(ip: IpAddress): boolean {
  return ip.family === 4 ? ip.words[3] >>> 24 === 127 : ip.toString() === '::1';
}
