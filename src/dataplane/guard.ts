import { Cidr, IpAddress } from '../policy/address.ts';
import { DestinationGuard } from '../resolve/guard.ts';
import { OwnListeners } from '../resolve/own-listeners.ts';
import type { Guard } from './world.ts';

/** An address and port as text, which crosses threads. */
export interface PlainEndpoint {
  readonly ip: string;
  readonly port: number;
}

/** `destinations` of the configuration: CIDR blocks as text. */
export interface PlainExceptions {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

/** Makes the guard that flows ask, from texts that the configuration has checked. Throws on any other. */
export function makeGuard(exceptions: PlainExceptions, ownAddresses: readonly PlainEndpoint[]): Guard {
  const guard = new DestinationGuard({
    allow: exceptions.allow.map(parseBlock),
    deny: exceptions.deny.map(parseBlock),
  });
  const own = new OwnListeners(ownAddresses.map(({ ip, port }) => ({ ip: parseIp(ip), port })));
  return { judge: ip => guard.judge(ip), isOwn: (ip, port) => own.isOwn(ip, port) };
}

/** A CIDR block from a text that the configuration has checked. Throws on any other. */
export function parseBlock(text: string): Cidr {
  const cidr = Cidr.parse(text);
  if (cidr === null) throw new Error(`${text} is no CIDR block`);
  return cidr;
}

function parseIp(text: string): IpAddress {
  const ip = IpAddress.parse(text);
  if (ip === null) throw new Error(`${text} is no address`);
  return ip;
}
