import { formatSocketAddress, type SocketAddress } from '../config/socket-address.ts';
import type { Endpoint } from '../dataplane/wire.ts';
import { IpAddress } from '../policy/address.ts';

/** An address of the configuration, which has checked it. */
export function toEndpoint({ host, port }: SocketAddress): Endpoint {
  return { ip: checkedAddress(host), port };
}

/** `127.0.0.1:3128` or `[::1]:3128`. */
export function formatEndpoint({ ip, port }: Endpoint): string {
  return formatSocketAddress({ host: ip.toString(), port });
}

/** The configuration was checked when it was loaded; what fails here is a fault of ours. */
export function checkedAddress(text: string): IpAddress {
  const ip = IpAddress.parse(text);
  if (ip === null) throw new Error(`the configuration let ${text} pass`);
  return ip;
}
