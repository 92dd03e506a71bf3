import { IpAddress } from '../policy/address.ts';
import type { ScalarResult } from './scalars.ts';

/** An address to listen at or to ask: a canonical IP address and a port. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:3128` or `[::1]:3128`; port 0 lets the system choose. Names are not looked up. */
export function parseSocketAddress(text: string): ScalarResult<SocketAddress> {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text);
  if (match === null)
    return { ok: false, message: `${JSON.stringify(text)} is no address with a port`, fix: addressFix(text) };
  const [, v6, v4, port] = match;
  const ip = IpAddress.parse(v6 ?? v4 ?? '');
  if (ip === null || (v6 === undefined) !== (ip.family === 4)) {
    return { ok: false, message: `${JSON.stringify(v6 ?? v4)} is no IP address`, fix: addressFix(text) };
  }
  if (Number(port) > 65535)
    return { ok: false, message: `port ${port} does not exist`, fix: 'write a port up to 65535' };
  return { ok: true, value: { host: ip.toString(), port: Number(port) } };
}

/** Whether a server at one cannot listen while one listens at the other. Port 0 never collides. */
export function addressesCollide(a: SocketAddress, b: SocketAddress): boolean {
  if (a.port !== b.port || a.port === 0) return false;
  return a.host === b.host || covers(a.host, b.host) || covers(b.host, a.host);
}

export function formatSocketAddress({ host, port }: SocketAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function covers(wide: string, host: string): boolean {
  return (wide === '0.0.0.0' && !host.includes(':')) || wide === '::';
}

function addressFix(text: string): string {
  const port = /:(\d{1,5})$/.exec(text)?.[1] ?? '3128';
  if (text.startsWith('localhost')) return `write 127.0.0.1:${port}`;
  if (/^\*?:\d+$/.test(text)) return `write 0.0.0.0:${port} or [::]:${port}`;
  const v6 = text.slice(0, text.lastIndexOf(':'));
  if (v6.includes(':') && IpAddress.parse(v6) !== null) return `write [${v6}]:${port}`;
  if (IpAddress.parse(text) !== null) return `add the port: ${text.includes(':') ? `[${text}]` : text}:3128`;
  return 'write an IP address and a port, such as 127.0.0.1:3128 or [::1]:3128';
}
