import type { Cidr } from './address.ts';
import type { HostPattern } from './pattern.ts';
import type { Rule } from './rules.ts';

/**
 * A text whose order by code units is the order of specificity, most specific first: patterns are compared label by
 * label from the right, where a literal comes before a glob, a glob with more literal characters before one with
 * fewer, `*` after them and `**` last. Total: two patterns share a key only when they are the same.
 */
export function specificityKey(pattern: HostPattern): string {
  let key = '';
  for (let i = pattern.labels.length - 1; i >= 0; i--) {
    const label = pattern.labels[i] ?? '';
    key += label.includes('*')
      ? `\x02${String.fromCharCode(0xff - literalLength(label))}${label}\x00`
      : `\x01${label}\x00`;
  }
  return key + (pattern.deep ? '\x03' : '\x04');
}

/** The same for a block that a tcp rule writes: the longer prefix first, all of them behind the hosts. */
export function blockKey(cidr: Cidr): string {
  return `\x05${String.fromCharCode(128 - cidr.prefix)}${cidr.first.words.join(' ')}`;
}

/** Orders rules that hold the same pattern, independent of the file: see the tie-breaks in order. */
export function compareRules(a: Rule, b: Rule): number {
  return (
    // A rule for some sources before one for all of them, and the narrower sources first.
    widestPrefix(b) - widestPrefix(a) ||
    blockCount(a) - blockCount(b) ||
    a.ports.length - b.ports.length ||
    (a.name === b.name ? 0 : a.name < b.name ? -1 : 1)
  );
}

function literalLength(label: string): number {
  let length = 0;
  for (let i = 0; i < label.length; i++) if (label.charCodeAt(i) !== 0x2a) length++;
  return length;
}

/** Over 128 bits; -1 for a rule without `from`, which is less specific than any block. */
function widestPrefix(rule: Rule): number {
  if (rule.from.length === 0) return -1;
  let widest = 128;
  for (const item of rule.from) for (const cidr of item.cidrs) widest = Math.min(widest, cidr.prefix);
  return widest;
}

function blockCount(rule: Rule): number {
  let count = 0;
  for (const item of rule.from) count += item.cidrs.length;
  return count;
}
