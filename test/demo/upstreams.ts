import { once } from 'node:events';
import { createServer, type TlsOptions } from 'node:tls';

/** TLS by a shared key: a real handshake with a real server name, and no certificate to be made. */
export const SHARED_KEY = Buffer.from('no secret, and no certificate either');
export const TLS_BY_KEY = {
  ciphers: 'PSK',
  maxVersion: 'TLSv1.2',
} as const satisfies TlsOptions;

export interface Upstreams {
  /** Where each name is, for `dns.hosts`. */
  readonly hosts: Readonly<Record<string, string>>;
  /** Requests that each name has had. */
  readonly requests: ReadonlyMap<string, number>;
  close(): void;
}

/** Starts a TLS server on port 443 for each name, each on a loopback address of its own. Rejects with EACCES where that port may not be used. */
export async function startUpstreams(names: readonly string[]): Promise<Upstreams> {
  const requests = new Map<string, number>();
  const servers = await Promise.all(names.map((name, i) => startUpstream(name, addressOf(i), requests)));
  return {
    hosts: Object.fromEntries(names.map((name, i) => [name, addressOf(i)])),
    requests,
    close: () => {
      for (const server of servers) server.close();
    },
  };
}

async function startUpstream(name: string, address: string, requests: Map<string, number>) {
  const server = createServer({ ...TLS_BY_KEY, pskCallback: () => SHARED_KEY }, socket => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => {
      requests.set(name, (requests.get(name) ?? 0) + 1);
      const body = `this is ${name}\n`;
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
    });
  });
  server.on('tlsClientError', () => {});
  server.listen(443, address);
  await once(server, 'listening');
  return server;
}

function addressOf(index: number): string {
  return `127.44.3.${index + 1}`;
}
