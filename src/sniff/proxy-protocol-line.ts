import ipaddr from 'ipaddr.js';
import type { ProxyAddresses } from './proxy-protocol.ts';

/**
 * A PROXY protocol header of version 1 (proxy-protocol.txt §2.1), to be sent before a flow's first byte. Two IPv4
 * addresses make TCP4, anything else TCP6 with IPv4 in its mapped form. Throws for what is no IP address in text.
 */
export function proxyProtocolLine({ source, destination }: ProxyAddresses): Uint8Array {
  const [from, to] = [ipaddr.process(source.ip), ipaddr.process(destination.ip)];
  const isV4 = from.kind() === 'ipv4' && to.kind() === 'ipv4';
  const text = isV4 ? `TCP4 ${from} ${to}` : `TCP6 ${ipv6Text(from)} ${ipv6Text(to)}`;
  return Buffer.from(`PROXY ${text} ${source.port} ${destination.port}\r\n`, 'latin1');
}

function ipv6Text(address: ipaddr.IPv4 | ipaddr.IPv6): string {
  return 'toIPv4MappedAddress' in address ? `::ffff:${address}` : address.toRFC5952String();
}
