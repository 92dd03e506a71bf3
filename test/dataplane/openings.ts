import { isIPv4 } from 'node:net';
import { buildClientHello, bytes, concat, text } from '../support/client-hello.ts';

/** A CONNECT request for `host:port`. */
export function connectRequest(host: string, port = 443): Uint8Array {
  return text(`CONNECT ${host}:${port} HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`);
}

export const SOCKS_GREETING = bytes(5, 1, 0);

/** A SOCKS5 CONNECT request for a name or an IPv4 address. */
export function socksRequest(host: string, port = 443): Uint8Array {
  const target = isIPv4(host)
    ? concat(bytes(1), bytes(...host.split('.').map(Number)))
    : concat(bytes(3, host.length), text(host));
  return concat(bytes(5, 1, 0), target, bytes(port >> 8, port));
}

export const hello = (serverName: string | null = 'allowed.example') => buildClientHello({ serverName });

/** A whole record that holds no ClientHello. */
export const MALFORMED_HELLO = bytes(22, 3, 1, 0, 4, 2, 0, 0, 0);
export const SSH_BANNER = text('SSH-2.0-OpenSSH_9.6\r\n');
