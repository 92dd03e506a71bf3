import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { SHARED_KEY, TLS_BY_KEY } from './upstreams.ts';

/** What a task does all day: it pulls its image, ships logs, reads a bucket. And something in it leaks. */
export const HONEST_HOSTS = [
  'auth.docker.io',
  'registry-1.docker.io',
  'production.cloudflare.docker.com',
  'logs.us-east-1.amazonaws.com',
  'app-artifacts.s3.us-east-1.amazonaws.com',
] as const;
export const LEAK = 'drop.exfil.example';

/** One request over HTTPS through the proxy. Resolves to the status line of the site, or to how the proxy refused. */
async function visit(host: string, proxyPort: number): Promise<string> {
  const socket = connectTcp(proxyPort, '127.0.0.1');
  socket.on('error', () => socket.destroy());
  socket.write(`CONNECT ${host}:443 HTTP/1.1\r\nHost: ${host}:443\r\n\r\n`);
  const [answer]: Buffer[] = await once(socket, 'data');
  const granted = String(answer).split('\r\n', 1).join('');
  if (!granted.includes(' 200 ')) {
    socket.destroy();
    return granted;
  }
  const tls = connectTls({
    ...TLS_BY_KEY,
    socket,
    servername: host,
    pskCallback: () => ({ psk: SHARED_KEY, identity: 'demo' }),
    // The key says who the server is.
    checkServerIdentity: () => undefined,
  });
  tls.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  const [reply]: Buffer[] = await once(tls, 'data');
  tls.destroy();
  return String(reply).split('\r\n', 1).join('');
}

/** All that the workload does, `times` times over. */
export async function work(proxyPort: number, times: number): Promise<Map<string, string>> {
  const outcomes = new Map<string, string>();
  for (let i = 0; i < times; i++) {
    for (const host of [...HONEST_HOSTS, LEAK]) outcomes.set(host, await visit(host, proxyPort));
  }
  return outcomes;
}
