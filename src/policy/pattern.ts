import { domainToASCII } from 'node:url';
import { type HostnameFault, hostnameFault } from '../tls-sni/hostname.ts';

/**
 * A host pattern in normal form. `*` stands for one or more characters inside one label, a leading `**.` for one or
 * more whole labels; neither matches the apex.
 */
export interface HostPattern {
  /** Normal form: lower case, A-labels. */
  readonly text: string;
  /** Left to right, without the leading `**`. */
  readonly labels: readonly string[];
  /** Whether a `**` stands before the labels. */
  readonly deep: boolean;
}

/** Why a text is no host pattern. Each code has a message and a fix in `describePatternFault`. */
export type PatternFault =
  | 'empty'
  | 'scheme'
  | 'path'
  | 'port'
  | 'ip-address'
  | 'bare-wildcard'
  | 'deep-not-leading'
  | 'adjacent-stars'
  | 'trailing-dot'
  | 'leading-dot'
  | 'glob-not-ascii'
  | HostnameFault;

export type PatternResult =
  | { readonly ok: true; readonly pattern: HostPattern }
  | { readonly ok: false; readonly fault: PatternFault };

/** Parses one entry of `hosts`, variables already expanded. */
export function parsePattern(text: string): PatternResult {
  const shape = shapeFault(text);
  if (shape !== null) return { ok: false, fault: shape };
  const deep = text.startsWith('**.');
  const labels: string[] = [];
  for (const label of (deep ? text.slice(3) : text).split('.')) {
    const parsed = normaliseLabel(label);
    if (!parsed.ok) return parsed;
    labels.push(parsed.label);
  }
  const normal = labels.join('.');
  // The shortest name the pattern can match must be a hostname: one character for each star, one label for `**`.
  const shortest = (deep ? 'a.' : '') + normal.replaceAll('*', 'a');
  const fault = hostnameFault(shortest);
  if (fault !== null) return { ok: false, fault };
  return { ok: true, pattern: { text: deep ? `**.${normal}` : normal, labels, deep } };
}

/** The pattern of a text that is in normal form already. */
export function patternOfNormal(text: string): HostPattern {
  const deep = text.startsWith('**.');
  return { text, labels: (deep ? text.slice(3) : text).split('.'), deep };
}

/** Whether one label of a hostname matches one label of a pattern. Linear in both. */
function labelMatches(glob: string, label: string): boolean {
  const [prefix = '', ...rest] = glob.split('*');
  const suffix = rest.pop();
  if (suffix === undefined) return glob === label;
  if (!label.startsWith(prefix) || !label.endsWith(suffix)) return false;
  let at = prefix.length;
  for (const middle of rest) {
    const found = label.indexOf(middle, at + 1);
    if (found < 0) return false;
    at = found + middle.length;
  }
  return at + 1 <= label.length - suffix.length;
}

/** Whether a normalised hostname matches a pattern. The plain definition; the compiled policy is the fast one. */
export function patternMatches(pattern: HostPattern, hostname: string): boolean {
  const labels = hostname.split('.');
  const extra = labels.length - pattern.labels.length;
  if (pattern.deep ? extra < 1 : extra !== 0) return false;
  return pattern.labels.every((glob, i) => labelMatches(glob, labels[i + extra] ?? ''));
}

/** The message and the fix for a fault, for diagnostics. `text` is the pattern as it was written. */
export function describePatternFault(fault: PatternFault, text: string): { message: string; fix: string } {
  switch (fault) {
    case 'empty':
    case 'name-empty':
      return { message: 'the host is empty', fix: 'write a hostname or pattern, such as api.example.com' };
    case 'scheme':
      return { message: 'a host has no scheme', fix: `write ${quoted(hostOfUrl(text))}` };
    case 'path':
      return {
        message: 'a host has no path: paths are encrypted and cannot be filtered',
        fix: `write ${quoted(hostOfUrl(text))}`,
      };
    case 'port':
      return {
        message: 'a host has no port',
        fix: `write ${quoted(text.slice(0, text.lastIndexOf(':')))} and put the port in ports`,
      };
    case 'ip-address':
    case 'name-ip-literal':
      return {
        message: 'an IP address is no hostname: rules match the name a client asks for',
        fix: 'write the hostname clients use, or guard addresses with destinations in the daemon configuration',
      };
    case 'name-numeric':
      return {
        message: 'the last label is a number, which resolvers read as an IP address',
        fix: 'write the hostname clients use',
      };
    case 'bare-wildcard':
      return {
        message: `${quoted(text)} alone would match every host`,
        fix: 'name the hosts, or set mode: observe to let everything pass while it is watched',
      };
    case 'deep-not-leading':
      return {
        message: '** may only stand for the leading labels',
        fix: 'write it once, first, as in "**.example.com"; use * inside a label',
      };
    case 'adjacent-stars':
      return { message: 'two stars in a row inside a label', fix: 'write one *' };
    case 'trailing-dot':
      return { message: 'a host ends without a dot', fix: `write ${quoted(text.replace(/\.+$/, ''))}` };
    case 'leading-dot':
      return {
        message: 'a host does not begin with a dot',
        fix: `write ${quoted(`*${text}`)} for one label or ${quoted(`**${text}`)} for any depth`,
      };
    case 'glob-not-ascii':
      return {
        message: 'a label with * must be ASCII: * has no meaning inside an internationalised label',
        fix: 'write the label without *, or in its xn-- form',
      };
    case 'name-byte':
      return {
        message: 'a character that no hostname holds',
        fix: 'use letters, digits, hyphens, underscores, dots and *',
      };
    case 'label-empty':
      return {
        message: 'an empty label (two dots in a row)',
        fix: `write ${quoted(text.replace(/\.{2,}/g, '.'))}`,
      };
    case 'label-hyphen':
      return { message: 'a label begins or ends with a hyphen', fix: 'remove the hyphen' };
    case 'label-too-long':
      return { message: 'a label is longer than 63 characters', fix: 'shorten the label' };
    case 'name-too-long':
      return { message: 'the host is longer than 253 characters', fix: 'shorten the host' };
    default:
      return fault satisfies never;
  }
}

function shapeFault(text: string): PatternFault | null {
  if (text === '') return 'empty';
  if (text === '*' || text === '**') return 'bare-wildcard';
  if (text.includes('://')) return 'scheme';
  if (text.includes('/')) return /^[\d.]+\/\d+$|:.*\/\d+$/.test(text) ? 'ip-address' : 'path';
  if (/^\[.*\]/.test(text) || /^[\da-f.]*:[\da-f.]*:[\da-f:.]*$/i.test(text)) return 'ip-address';
  if (/:\d*$/.test(text)) return 'port';
  if (text.endsWith('.')) return 'trailing-dot';
  if (text.startsWith('.')) return 'leading-dot';
  if (text.includes('***')) return 'adjacent-stars';
  if (/\.\*\*(?:\.|$)/.test(text)) return 'deep-not-leading';
  if (text.slice(text.startsWith('**.') ? 3 : 0).includes('**')) return 'adjacent-stars';
  return null;
}

type LabelResult =
  | { readonly ok: true; readonly label: string }
  | { readonly ok: false; readonly fault: PatternFault };

function normaliseLabel(label: string): LabelResult {
  if (isAscii(label)) return { ok: true, label: label.toLowerCase() };
  if (label.includes('*')) return { ok: false, fault: 'glob-not-ascii' };
  const ascii = domainToASCII(label);
  // UTS 46 maps some characters to dots and digits; a label stays one label and never turns into an address.
  if (ascii === '' || ascii.includes('.')) return { ok: false, fault: 'name-byte' };
  return { ok: true, label: ascii };
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

function hostOfUrl(text: string): string {
  const start = text.indexOf('://');
  return text.slice(start < 0 ? 0 : start + 3).split(/[/:?#]/, 1)[0] ?? '';
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
