import { proxyProtocolHeader } from '../sniff/proxy-protocol-header.ts';
import { proxyProtocolLine } from '../sniff/proxy-protocol-line.ts';
import type { Listener } from './listener.ts';
import type { Client, Endpoint } from './wire.ts';

const NOTHING = new Uint8Array(0);

/**
 * What an upstream is told of the client before its first bytes; empty unless the listener says so. `destination`: where
 * the client was going, which on a transparent listener need not be where it is dialled.
 */
export function clientHeader(
  { sendProxyProtocol: version }: Listener,
  client: Client,
  destination: Endpoint,
): Uint8Array {
  if (version === undefined) return NOTHING;
  const addresses = { source: textOf(client), destination: textOf(destination) };
  switch (version) {
    case 'v1':
      return proxyProtocolLine(addresses);
    case 'v2':
      return proxyProtocolHeader(addresses, client.vpcEndpoint);
    default:
      return version satisfies never;
  }
}

function textOf({ ip, port }: Endpoint): { ip: string; port: number } {
  return { ip: ip.toString(), port };
}
