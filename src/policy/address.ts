import ipaddr from 'ipaddr.js';

/**
 * An IP address as four big-endian 32-bit words. IPv4 is carried as IPv4-mapped IPv6 (::ffff:a.b.c.d,
 * RFC 4291 §2.5.5.2), so that one comparison and one range table serve both families, and an IPv4 client
 * of a dual-stack listener is the same source as on an IPv4 one.
 */
export class IpAddress {
  readonly words: readonly [number, number, number, number];
  #text: string | undefined;

  private constructor(w0: number, w1: number, w2: number, w3: number) {
    this.words = [w0 >>> 0, w1 >>> 0, w2 >>> 0, w3 >>> 0];
  }

  /** From one host-order 32-bit integer (10.0.0.1 is 0x0a000001). */
  static fromV4(word: number): IpAddress {
    return new IpAddress(0, 0, 0xffff, word);
  }

  /** From the four words of an IPv6 address, most significant first. */
  static fromWords(w0: number, w1: number, w2: number, w3: number): IpAddress {
    return new IpAddress(w0, w1, w2, w3);
  }

  /** Parses the standard text forms only (no `127.1`, no hex or octal IPv4, no zone). Returns null for anything else. */
  static parse(text: string): IpAddress | null {
    if (ipaddr.IPv4.isValidFourPartDecimal(text)) {
      const [a = 0, b = 0, c = 0, d = 0] = ipaddr.IPv4.parse(text).octets;
      return IpAddress.fromV4((a << 24) | (b << 16) | (c << 8) | d);
    }
    if (!text.includes(':') || text.includes('%') || !ipaddr.IPv6.isValid(text)) return null;
    const parts = ipaddr.IPv6.parse(text).parts;
    const word = (i: number) => ((parts[2 * i] ?? 0) << 16) | (parts[2 * i + 1] ?? 0);
    return new IpAddress(word(0), word(1), word(2), word(3));
  }

  get family(): 4 | 6 {
    return this.words[0] === 0 && this.words[1] === 0 && this.words[2] === 0xffff ? 4 : 6;
  }

  /** Canonical text: dotted quad for IPv4 and IPv4-mapped, RFC 5952 for the rest. */
  toString(): string {
    this.#text ??= this.#format();
    return this.#text;
  }

  equals(other: IpAddress): boolean {
    return compareWords(this.words, other.words) === 0;
  }

  #format(): string {
    const [w0, w1, w2, w3] = this.words;
    if (this.family === 4) return `${w3 >>> 24}.${(w3 >>> 16) & 255}.${(w3 >>> 8) & 255}.${w3 & 255}`;
    const parts = [w0, w1, w2, w3].flatMap(w => [w >>> 16, w & 0xffff]);
    return new ipaddr.IPv6(parts).toRFC5952String();
  }
}

/** Orders two addresses' words as 128-bit unsigned integers: negative, zero or positive. */
export function compareWords(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < 4; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** An inclusive range of addresses, as a CIDR block describes it. */
export class Cidr {
  readonly first: IpAddress;
  readonly last: IpAddress;
  /** Prefix length over 128 bits: an IPv4 /24 is 120. Longer is more specific. */
  readonly prefix: number;

  private constructor(first: IpAddress, last: IpAddress, prefix: number) {
    this.first = first;
    this.last = last;
    this.prefix = prefix;
  }

  /**
   * Parses `10.0.0.0/8`, `fd00::/8` or a bare address (taken as a single-address block). Host bits below the
   * prefix are cleared. Returns null for anything else.
   */
  static parse(text: string): Cidr | null {
    const slash = text.indexOf('/');
    const address = IpAddress.parse(slash < 0 ? text : text.slice(0, slash));
    if (address === null) return null;
    const isV4Text = !text.includes(':');
    const width = isV4Text ? 32 : 128;
    const lengthText = slash < 0 ? String(width) : text.slice(slash + 1);
    if (!/^\d{1,3}$/.test(lengthText)) return null;
    const length = Number(lengthText);
    if (length > width) return null;
    return Cidr.of(address, isV4Text ? 96 + length : length);
  }

  /** The block of `prefix` bits (0 to 128, over the mapped form) that holds `address`. */
  static of(address: IpAddress, prefix: number): Cidr {
    const first = [0, 0, 0, 0];
    const last = [0, 0, 0, 0];
    for (let i = 0; i < 4; i++) {
      const bits = Math.min(32, Math.max(0, prefix - 32 * i));
      const mask = bits === 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0;
      first[i] = ((address.words[i] ?? 0) & mask) >>> 0;
      last[i] = (first[i] ?? 0) | (~mask >>> 0);
    }
    return new Cidr(wordsToAddress(first), wordsToAddress(last), prefix);
  }

  /** `10.0.0.0/8`; an IPv4 block with its own prefix length. */
  toString(): string {
    return `${this.first}/${this.first.family === 4 ? this.prefix - 96 : this.prefix}`;
  }

  /** IPv4 lies inside `::/0` only by the way it is written down, so an IPv6 block wider than /96 holds none of it. */
  contains(address: IpAddress): boolean {
    if (this.prefix < 96 && address.family === 4) return false;
    return (
      compareWords(this.first.words, address.words) <= 0 && compareWords(address.words, this.last.words) <= 0
    );
  }
}

function wordsToAddress(words: readonly number[]): IpAddress {
  return IpAddress.fromWords(words[0] ?? 0, words[1] ?? 0, words[2] ?? 0, words[3] ?? 0);
}
