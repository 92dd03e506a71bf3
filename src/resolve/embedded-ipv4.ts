import { IpAddress } from '../policy/address.ts';

/**
 * The addresses that packets to `ip` end up at or are judged by: the IPv4 address inside an IPv6 one that a
 * translator or tunnel unwraps, else `ip` itself. IPv4-mapped needs nothing: `IpAddress` carries IPv4 that way.
 * Never empty; more than one where the outer address counts as well or the inner one cannot be placed for certain.
 */
export function judgedAddresses(ip: IpAddress): readonly IpAddress[] {
  const [w0, w1, w2, w3] = ip.words;
  // IPv4-compatible ::a.b.c.d (RFC 4291 §2.5.5.1); :: and ::1 are themselves.
  if (w0 === 0 && w1 === 0 && w2 === 0 && w3 > 1) return [IpAddress.fromV4(w3)];
  // IPv4-translated ::ffff:0:a.b.c.d (RFC 2765 §2.1).
  if (w0 === 0 && w1 === 0 && w2 === 0xffff0000) return [IpAddress.fromV4(w3)];
  // NAT64, well-known prefix 64:ff9b::/96 (RFC 6052 §2.1).
  if (w0 === 0x0064ff9b && w1 === 0 && w2 === 0) return [IpAddress.fromV4(w3)];
  // NAT64, local-use prefix 64:ff9b:1::/48 (RFC 8215).
  if (w0 === 0x0064ff9b && w1 >>> 16 === 1) return localNat64(ip);
  // 6to4 2002:a.b.c.d::/48 (RFC 3056 §2).
  if (w0 >>> 16 === 0x2002) return [IpAddress.fromV4(((w0 << 16) | (w1 >>> 16)) >>> 0)];
  // Teredo 2001::/32: the client's address with every bit flipped (RFC 4380 §4).
  if (w0 === 0x20010000) return [IpAddress.fromV4(~w3 >>> 0)];
  // ISATAP, interface identifier [02]00:5efe:a.b.c.d under any prefix (RFC 5214 §6.1).
  if (w2 === 0x00005efe || w2 === 0x02005efe) return [ip, IpAddress.fromV4(w3)];
  return [ip];
}

/**
 * The prefix length that the network uses below 64:ff9b:1::/48 is unknown here and decides where the four bytes
 * stand (RFC 6052 §2.2; bits 64 to 71 are never part of them). So every place is read, and a reading in 0.0.0.0/8
 * is padding rather than an address, unless there is no other.
 */
function localNat64(ip: IpAddress): readonly IpAddress[] {
  const [, w1, w2, w3] = ip.words;
  const readings = [
    (w1 << 16) | ((w2 >>> 8) & 0xffff),
    (w1 << 24) | (w2 & 0xffffff),
    (w2 << 8) | (w3 >>> 24),
    w3,
  ];
  const plausible = readings.filter(word => word >>> 24 !== 0);
  return (plausible.length > 0 ? plausible : [0]).map(word => IpAddress.fromV4(word >>> 0));
}
