import { Cidr, IpAddress } from '../policy/address.ts';
import { type ScalarResult, scalar } from './scalars.ts';

/** A text that `Cidr.parse` takes. */
export const cidr = scalar('an address or a block', ['10.0.0.0/8'], parseCidr);
/** A canonical address. */
export const ip = scalar('an IP address', ['10.1.2.3'], parseIp);

function parseCidr(text: string): ScalarResult<string> {
  const cidr = Cidr.parse(text);
  if (cidr !== null) return { ok: true, value: text };
  return {
    ok: false,
    message: `${JSON.stringify(text)} is no address or block`,
    fix: 'write a block such as 10.0.0.0/8',
  };
}

function parseIp(text: string): ScalarResult<string> {
  const address = IpAddress.parse(text);
  if (address !== null) return { ok: true, value: address.toString() };
  return {
    ok: false,
    message: `${JSON.stringify(text)} is no IP address`,
    fix: 'write an address such as 10.1.2.3',
  };
}
