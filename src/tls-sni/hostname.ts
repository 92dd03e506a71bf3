/** Why a name off the wire is no hostname. */
export const HOSTNAME_FAULTS = {
  'name-empty': 'the name has no byte',
  'name-too-long': 'the name is longer than 253 bytes',
  'name-byte': 'a byte other than an ASCII letter, digit, hyphen, underscore or dot',
  'name-ip-literal': 'an IPv4 or IPv6 address, bracketed or not, where a name belongs',
  'name-numeric':
    'the last label is a number (all digits, or 0x and hex digits): resolvers read it as an address',
  'label-empty': 'a leading dot, a trailing dot or two dots in a row',
  'label-too-long': 'a label is longer than 63 bytes',
  'label-hyphen': 'a label begins or ends with a hyphen',
} as const;

export type HostnameFault = keyof typeof HOSTNAME_FAULTS;

const DOT = 0x2e;
const HYPHEN = 0x2d;
const UNDERSCORE = 0x5f;

/**
 * The one grammar for hostnames off the wire (RFC 1123 §2.1, and underscores, which real hosts use): null when
 * `name` keeps it, else the first fault. No normalisation happens here; letters of either case pass. One label
 * is grammatical: whether `localhost` may be reached is for the rules to say.
 */
export function hostnameFault(name: string): HostnameFault | null {
  if (name.length === 0) return 'name-empty';
  if (name.length > 253) return 'name-too-long';
  let labelStart = 0;
  for (let i = 0; i <= name.length; i++) {
    const code = i === name.length ? DOT : name.charCodeAt(i);
    if (code === DOT) {
      const fault = labelFault(name, labelStart, i);
      if (fault !== null) return fault;
      if (i < name.length) labelStart = i + 1;
    } else if (!isLabelByte(code)) {
      return isIpv6Text(name) ? 'name-ip-literal' : 'name-byte';
    }
  }
  if (!isNumber(name, labelStart)) return null;
  return isIpv4Text(name) ? 'name-ip-literal' : 'name-numeric';
}

/** Whether two grammatical hostnames are the same name: only ASCII letters fold (U+212A is no `k` here). */
export function sameHostname(a: string, b: string): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (foldAscii(a.charCodeAt(i)) !== foldAscii(b.charCodeAt(i))) return false;
  }
  return true;
}

/** A dotted quad of four decimal bytes without leading zeros; none of the short, octal or hex forms. */
export function isIpv4Text(text: string): boolean {
  const parts = text.length <= 15 ? text.split('.') : [];
  return parts.length === 4 && parts.every(isDecimalByte);
}

function isDecimalByte(text: string): boolean {
  if (text.length === 0 || text.length > 3) return false;
  for (let i = 0; i < text.length; i++) if (!isDigit(text.charCodeAt(i))) return false;
  return (text.length === 1 || text.charCodeAt(0) !== 0x30) && Number(text) <= 255;
}

function labelFault(name: string, start: number, end: number): HostnameFault | null {
  if (start === end) return 'label-empty';
  if (end - start > 63) return 'label-too-long';
  if (name.charCodeAt(start) === HYPHEN || name.charCodeAt(end - 1) === HYPHEN) return 'label-hyphen';
  return null;
}

/** Whether a last label is one that inet_aton and the WHATWG host parser take for a number. */
function isNumber(name: string, start: number): boolean {
  const second = name.charCodeAt(start + 1);
  const isHex = name.charCodeAt(start) === 0x30 && (second === 0x78 || second === 0x58);
  for (let i = isHex ? start + 2 : start; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (!(isDigit(code) || (isHex && isHexLetter(code)))) return false;
  }
  return true;
}

/** For the reason only: in brackets, or nothing but hex digits, dots and at least two colons. */
function isIpv6Text(name: string): boolean {
  const isBracketed = name.startsWith('[') && name.endsWith(']');
  let colons = 0;
  for (let i = isBracketed ? 1 : 0; i < name.length - (isBracketed ? 1 : 0); i++) {
    const code = name.charCodeAt(i);
    if (code === 0x3a) colons++;
    else if (code !== DOT && !isDigit(code) && !isHexLetter(code)) return false;
  }
  return colons >= 2;
}

function isLabelByte(code: number): boolean {
  const folded = code | 0x20;
  return (folded >= 0x61 && folded <= 0x7a) || isDigit(code) || code === HYPHEN || code === UNDERSCORE;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isHexLetter(code: number): boolean {
  return (code >= 0x41 && code <= 0x46) || (code >= 0x61 && code <= 0x66);
}

function foldAscii(code: number): number {
  return code >= 0x41 && code <= 0x5a ? code | 0x20 : code;
}
