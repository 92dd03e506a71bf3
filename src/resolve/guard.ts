import { Cidr, type IpAddress } from '../policy/address.ts';
import { judgedAddresses } from './embedded-ipv4.ts';
import type { GuardVerdict } from './resolver.ts';

/**
 * Never dialled. Documentation ranges (192.0.2.0/24, 2001:db8::/32, …) are not here: they lead nowhere, and
 * laboratories use them.
 */
const FORBIDDEN = [
  '0.0.0.0/8', // "this network" and unspecified (RFC 1122 §3.2.1.3)
  '::/128', // unspecified
  '127.0.0.0/8', // loopback
  '::1/128', // loopback
  '169.254.0.0/16', // link-local: instance metadata, ECS task credentials
  '192.0.0.0/24', // IETF protocol assignments (RFC 6890); Oracle Cloud's metadata
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, and limited broadcast
  '100.100.100.200/32', // Alibaba Cloud's metadata
  '168.63.129.16/32', // Azure's wire server
  'fd00:ec2::/32', // AWS' metadata over IPv6
  'fd20:ce::254/128', // Google Cloud's metadata over IPv6
  'fe80::/10', // link-local
  'ff00::/8', // multicast
  '100::/64', // discard-only (RFC 6666)
].map(parseBuiltIn);

/** Dialled only where a rule or the configuration says so. */
const PRIVATE = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10', // carrier-grade NAT (RFC 6598)
  '198.18.0.0/15', // benchmarking (RFC 2544): internal where it is used at all
  'fc00::/7', // unique local
  'fec0::/10', // site-local, deprecated (RFC 3879)
].map(parseBuiltIn);

/** `destinations` of the daemon's configuration. */
export interface GuardExceptions {
  readonly allow: readonly Cidr[];
  readonly deny: readonly Cidr[];
}

/**
 * Which addresses may be dialled whatever a name resolves to. IPv4 inside IPv6 is judged by the inner address
 * throughout, by `allow` too: `allow: [64:ff9b::/96]` exempts nothing, `allow: [10.0.0.0/8]` exempts 64:ff9b::a00:1.
 * What is never dialled otherwise is exempt only by a block that lies wholly inside the forbidden range.
 */
export class DestinationGuard {
  readonly #exceptions: GuardExceptions;

  constructor(exceptions: GuardExceptions) {
    this.#exceptions = exceptions;
  }

  /** `deny` wins over everything, `allow` over the built-in ranges; of several readings the worst counts. */
  judge(ip: IpAddress): GuardVerdict {
    if (covers(this.#exceptions.deny, ip)) return 'forbidden';
    const verdicts = judgedAddresses(ip).map(reading => this.#judgeReading(reading));
    if (verdicts.includes('forbidden')) return 'forbidden';
    return verdicts.includes('private') ? 'private' : 'ok';
  }

  /** A block that reaches beyond the forbidden range was not written with it in mind: `0.0.0.0/0` opens no metadata. */
  #exempts(bar: Cidr, ip: IpAddress): boolean {
    return this.#exceptions.allow.some(block => block.contains(ip) && block.prefix >= bar.prefix);
  }

  #judgeReading(ip: IpAddress): GuardVerdict {
    if (covers(this.#exceptions.deny, ip)) return 'forbidden';
    const bar = FORBIDDEN.find(block => block.contains(ip));
    if (bar !== undefined) return this.#exempts(bar, ip) ? 'ok' : 'forbidden';
    if (covers(this.#exceptions.allow, ip)) return 'ok';
    return covers(PRIVATE, ip) ? 'private' : 'ok';
  }
}

function covers(blocks: readonly Cidr[], ip: IpAddress): boolean {
  return blocks.some(block => block.contains(ip));
}

function parseBuiltIn(text: string): Cidr {
  const cidr = Cidr.parse(text);
  if (cidr === null) throw new Error(`built-in range ${text} is no CIDR block`);
  return cidr;
}
