import type { ProxyAddresses } from '../../src/sniff/proxy-protocol.ts';
import { proxyProtocolHeader } from '../../src/sniff/proxy-protocol-header.ts';

/** Of a client that is nowhere near, so that its address can come from a header only. */
export const CLIENT = { ip: '192.0.2.7', port: 40_312 };
const BALANCER = { ip: '198.51.100.10', port: 443 };
export const CLAIM: ProxyAddresses = { source: CLIENT, destination: BALANCER };
export const ENDPOINT = 'vpce-08d2bf15fac5001c9';

/** What a load balancer says in version 1. */
export function v1({ source, destination }: ProxyAddresses = CLAIM): Buffer {
  const family = source.ip.includes(':') ? 'TCP6' : 'TCP4';
  return Buffer.from(
    `PROXY ${family} ${source.ip} ${destination.ip} ${source.port} ${destination.port}\r\n`,
    'latin1',
  );
}

/** And in version 2; `endpoint` as AWS says it. */
export function v2(addresses: ProxyAddresses | null = CLAIM, endpoint = ''): Buffer {
  return Buffer.from(proxyProtocolHeader(addresses, endpoint));
}
