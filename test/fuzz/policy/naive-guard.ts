import { bitsOf } from './naive-address.ts';

type Verdict = 'ok' | 'private' | 'forbidden';

/** Prefixes in bits. IPv4 as it stands in IPv4: 32 bits. */
const FORBIDDEN_V4 = blocks(
  '0/8 127/8 169.254/16 192.0.0/24 224/4 240/4 100.100.100.200/32 168.63.129.16/32',
);
const PRIVATE_V4 = blocks('10/8 172.16/12 192.168/16 100.64/10 198.18/15');
const FORBIDDEN_V6 = [
  'fd00:ec2::/32',
  'fd20:ce::254/128',
  'fe80::/10',
  'ff00::/8',
  '100::/64',
  '::/128',
  '::1/128',
].map(bits6);
const PRIVATE_V6 = ['fc00::/7', 'fec0::/10'].map(bits6);

/** What an address is, read from its bits: every IPv4 address that it may stand for is judged, and the worst counts. */
export function naiveGuard(address: string): Verdict {
  const bits = bitsOf(address);
  const inner = innerOf(bits);
  const verdicts = inner.readings.map(judgeV4);
  if (inner.alsoOuter) verdicts.push(judgeV6(bits));
  if (verdicts.includes('forbidden')) return 'forbidden';
  return verdicts.includes('private') ? 'private' : 'ok';
}

interface Inner {
  readonly readings: readonly string[];
  readonly alsoOuter: boolean;
}

function innerOf(bits: string): Inner {
  const last = bits.slice(96);
  const zero = (from: number, to: number) => !bits.slice(from, to).includes('1');
  const only = (...readings: string[]): Inner => ({ readings, alsoOuter: false });
  if (zero(0, 80) && bits.slice(80, 96) === '1'.repeat(16)) return only(last);
  // ::1 and :: are themselves.
  if (zero(0, 96) && Number.parseInt(last, 2) > 1) return only(last);
  if (zero(0, 64) && bits.slice(64, 96) === '1'.repeat(16) + '0'.repeat(16)) return only(last);
  if (bits.startsWith(bits6('64:ff9b::/96'))) return only(last);
  if (bits.startsWith(bits6('64:ff9b:1::/48'))) {
    // RFC 6052 §2.2 for prefixes of 48, 56, 64 and 96 bits; bits 64 to 71 are no part of it.
    const readings = [
      bits.slice(48, 64) + bits.slice(72, 88),
      bits.slice(56, 64) + bits.slice(72, 96),
      bits.slice(72, 104),
      last,
    ];
    const plausible = readings.filter(reading => reading.slice(0, 8).includes('1'));
    return only(...(plausible.length > 0 ? plausible : ['0'.repeat(32)]));
  }
  if (bits.startsWith(bits6('2002::/16'))) return only(bits.slice(16, 48));
  if (bits.startsWith(bits6('2001::/32')))
    return only(last.replace(/[01]/g, bit => (bit === '0' ? '1' : '0')));
  const identifier = bits.slice(64, 96);
  if (identifier === bits6('0:5efe::/32') || identifier === bits6('200:5efe::/32')) {
    return { readings: [last], alsoOuter: true };
  }
  return { readings: [], alsoOuter: true };
}

function judgeV4(bits: string): Verdict {
  if (FORBIDDEN_V4.some(prefix => bits.startsWith(prefix))) return 'forbidden';
  return PRIVATE_V4.some(prefix => bits.startsWith(prefix)) ? 'private' : 'ok';
}

function judgeV6(bits: string): Verdict {
  if (FORBIDDEN_V6.some(prefix => bits.startsWith(prefix))) return 'forbidden';
  return PRIVATE_V6.some(prefix => bits.startsWith(prefix)) ? 'private' : 'ok';
}

function bits6(block: string): string {
  const [address = '', length = '128'] = block.split('/');
  return bitsOf(address).slice(0, Number(length));
}

/** `10/8 172.16/12`: missing octets are 0. */
function blocks(text: string): string[] {
  return text.split(' ').map(block => {
    const [address = '', length = ''] = block.split('/');
    const octets = [...address.split('.'), '0', '0', '0'].slice(0, 4);
    return bitsOf(octets.join('.')).slice(96, 96 + Number(length));
  });
}
