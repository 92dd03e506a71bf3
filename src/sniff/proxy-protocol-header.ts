import ipaddr from 'ipaddr.js';
import type { ProxyAddresses } from './proxy-protocol.ts';
import {
  AWS_VPC_ENDPOINT_ID,
  LOCAL,
  PROXY,
  PROXY_V2_FIXED_BYTES,
  PROXY_V2_SIGNATURE,
  TCP4,
  TCP6,
  TLV_AWS,
} from './proxy-protocol-v2.ts';

/**
 * A PROXY protocol header of version 2 (proxy-protocol.txt §2.2), to be sent before a flow's first byte. Null says LOCAL:
 * a connection of our own. Two IPv4 addresses make TCP4, anything else TCP6 with IPv4 in its mapped form (RFC 4291
 * §2.5.5.2). `vpcEndpointId`, of at most 128 ASCII characters, is told as AWS does. Throws for what is no IP address in
 * text or no port.
 */
export function proxyProtocolHeader(addresses: ProxyAddresses | null, vpcEndpointId = ''): Uint8Array {
  if (addresses === null) return header(LOCAL, 0x00, []);
  const { source, destination } = addresses;
  const [from, to] = [ipaddr.process(source.ip), ipaddr.process(destination.ip)];
  const rest = [
    ...portBytes(source.port),
    ...portBytes(destination.port),
    ...(vpcEndpointId === '' ? [] : vpcEndpointTlv(vpcEndpointId)),
  ];
  if (from.kind() === 'ipv4' && to.kind() === 'ipv4') {
    return header(PROXY, TCP4, [...from.toByteArray(), ...to.toByteArray(), ...rest]);
  }
  return header(PROXY, TCP6, [...ipv6Bytes(from), ...ipv6Bytes(to), ...rest]);
}

function header(command: number, family: number, block: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(PROXY_V2_FIXED_BYTES + block.length);
  bytes.set(PROXY_V2_SIGNATURE);
  bytes.set([command, family, 0, block.length], PROXY_V2_SIGNATURE.length);
  bytes.set(block, PROXY_V2_FIXED_BYTES);
  return bytes;
}

function vpcEndpointTlv(id: string): number[] {
  const value = [AWS_VPC_ENDPOINT_ID, ...Buffer.from(id, 'latin1')];
  return [TLV_AWS, 0, value.length, ...value];
}

function ipv6Bytes(address: ipaddr.IPv4 | ipaddr.IPv6): number[] {
  return 'toIPv4MappedAddress' in address
    ? address.toIPv4MappedAddress().toByteArray()
    : address.toByteArray();
}

function portBytes(port: number): [number, number] {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new RangeError(`no port: ${port}`);
  return [port >> 8, port & 0xff];
}
