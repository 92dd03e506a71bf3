import { Peer } from './peer.ts';

export type TunnelKind = 'connect' | 'socks5';

/** The bytes of a CONNECT request. */
export function connectRequest(authority: string): string {
  return `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`;
}

/** The bytes of a SOCKS5 CONNECT by name (RFC 1928 §4), without the greeting. */
export function socksRequest(host: string, port: number): Uint8Array {
  const name = Buffer.from(host, 'latin1');
  return Buffer.concat([Buffer.from([5, 1, 0, 3, name.length]), name, Buffer.from([port >> 8, port & 255])]);
}

export const SOCKS_GREETING = Uint8Array.of(5, 1, 0);
/** The answer to the greeting and the grant of a request, together. */
const SOCKS_GRANTED_BYTES = 2 + 10;

/** Opens a tunnel through an explicit listener. `peer.bytes` begins with the proxy's answers. Throws when refused. */
export async function openTunnel(
  kind: TunnelKind,
  proxyPort: number,
  host: string,
  port: number,
): Promise<Peer> {
  const peer = await Peer.dial(proxyPort);
  if (kind === 'connect') {
    await peer.send(connectRequest(`${host}:${port}`));
    const answer = (await peer.atLeast(CONNECT_GRANTED.length)).toString('latin1');
    if (answer !== CONNECT_GRANTED) throw new Error(`the proxy answered: ${answer}`);
  } else {
    await peer.send(SOCKS_GREETING);
    await peer.atLeast(2);
    await peer.send(socksRequest(host, port));
    const answer = await peer.atLeast(SOCKS_GRANTED_BYTES);
    if (answer[3] !== 0) throw new Error(`the proxy answered: ${answer.toString('hex')}`);
  }
  return peer;
}

export const CONNECT_GRANTED = 'HTTP/1.1 200 Connection established\r\n\r\n';
