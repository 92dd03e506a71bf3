import fc from 'fast-check';

/** IPv4 at and around the edges of ranges that mean something. */
const V4 = [
  '0.0.0.0',
  '0.255.255.255',
  '1.0.0.0',
  '8.8.8.8',
  '9.255.255.255',
  '10.0.0.0',
  '10.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.64.0.0',
  '100.100.100.200',
  '100.127.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '127.0.0.1',
  '127.255.255.255',
  '128.0.0.0',
  '168.63.129.16',
  '169.253.255.255',
  '169.254.169.254',
  '169.255.0.0',
  '172.15.255.255',
  '172.16.0.0',
  '172.31.255.255',
  '172.32.0.0',
  '192.0.0.192',
  '192.0.1.0',
  '192.168.0.1',
  '192.169.0.0',
  '198.17.255.255',
  '198.18.0.0',
  '198.19.255.255',
  '198.20.0.0',
  '223.255.255.255',
  '224.0.0.1',
  '239.255.255.255',
  '240.0.0.0',
  '255.255.255.255',
];
const V6 = [
  '::',
  '::1',
  '::2',
  '100::1',
  '64:ff9b:0:1::1',
  '64:ff9b:1::1',
  '2001:db8::1',
  '2001:1::1',
  '2003::1',
  'fb00::1',
  'fc00::1',
  'fdff::1',
  'fd00:ec2::254',
  'fd00:ec3::1',
  'fd20:ce::254',
  'fe7f::1',
  'fe80::1',
  'febf::1',
  'fec0::1',
  'ff02::1',
];

const v4 = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...V4) }, { weight: 1, arbitrary: fc.ipV4() });

/** The 32 bits of an IPv4 address as two groups of hex. */
function groupsOf(address: string): [high: string, low: string] {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return [(a * 256 + b).toString(16), (c * 256 + d).toString(16)];
}

/** Every way in which IPv6 carries IPv4: mapped, compatible, translated, NAT64, 6to4, Teredo, ISATAP. */
const FORMS: readonly ((address: string) => string)[] = [
  address => address,
  address => `::ffff:${groupsOf(address).join(':')}`,
  address => `::${groupsOf(address).join(':')}`,
  address => `::ffff:0:${groupsOf(address).join(':')}`,
  address => `64:ff9b::${groupsOf(address).join(':')}`,
  address => `64:ff9b:1::${groupsOf(address).join(':')}`,
  address => `64:ff9b:1:${nat64At48(address)}::`,
  address => `2002:${groupsOf(address).join(':')}::1`,
  address => `2001:0:203:405:0:1234:${groupsOf(flipped(address)).join(':')}`,
  address => `2001:db8::5efe:${groupsOf(address).join(':')}`,
  address => `2001:db8::200:5efe:${groupsOf(address).join(':')}`,
];

function flipped(address: string): string {
  return address
    .split('.')
    .map(octet => 255 - Number(octet))
    .join('.');
}

/** RFC 6052 §2.2, prefix length 48: two bytes, a byte that is no part of it, two bytes. */
function nat64At48(address: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return `${(a * 256 + b).toString(16)}:${c.toString(16)}:${(d * 256).toString(16)}:0`;
}

/** Addresses that a name may resolve to: IPv4, IPv6, and IPv4 inside IPv6 in all its forms. */
export const destinations: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(v4, fc.nat(FORMS.length - 1))
      .map(([address, form]) => FORMS[form]?.(address) ?? address),
  },
  { weight: 2, arbitrary: fc.constantFrom(...V6) },
  { weight: 1, arbitrary: fc.ipV6().filter(text => !text.includes('.')) },
);
