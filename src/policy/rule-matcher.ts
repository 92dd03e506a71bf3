import type { IpAddress } from './address.ts';
import type { Hostname } from './hostname.ts';
import { hashEdge, hashText } from './label-hash.ts';
import {
  DESTINATION,
  ENTRY,
  FLAG,
  GLOB,
  literalTag,
  NODE,
  ROOT,
  RULE,
  SCALAR,
  type Sections,
  SLOT,
} from './layout.ts';
import { innermostBlock } from './nested-blocks.ts';
import { containsSorted, type SourceIndex } from './source-index.ts';

/** No rule. */
export const NONE = -1;
const NEVER_RANKED = 0xffffffff;
/** Up to here a run of entries is read through; beyond, looked up by the source's sets. */
const SHORT_RUN = 16;

/**
 * Finds the best rules for one question at a time: `ask`, then any of the `match` calls, each of which may find better
 * ones than those before. It keeps its scratch in the instance, which therefore serves one thread.
 */
export class RuleMatcher {
  /** The best allow rule so far, or NONE. */
  allowRule = NONE;
  /** The host that the best allow rule matches by; null for a block. */
  allowHost: Hostname | null = null;
  /** The best deny rule so far, or NONE. */
  denyRule = NONE;
  denyHost: Hostname | null = null;
  readonly #sections: Sections;
  readonly #sources: SourceIndex;
  readonly #seed: number;
  readonly #slotMask: number;
  #host: Hostname | null = null;
  #hostname = '';
  #port = 0;
  #nowMs = 0;
  #block = 0;
  #endpoint = 0;
  #allowRank = NEVER_RANKED;
  #denyRank = NEVER_RANKED;

  constructor(sections: Sections, sources: SourceIndex) {
    this.#sections = sections;
    this.#sources = sources;
    this.#seed = sections.scalars[SCALAR.seed] ?? 0;
    this.#slotMask = sections.slots.length / SLOT.size - 1;
  }

  /** Begins a question. `block`: of the source, by `SourceIndex`; `endpoint`: of the VPC endpoint that it comes through. */
  ask(port: number, block: number, endpoint: number, nowMs: number): void {
    this.#port = port;
    this.#nowMs = nowMs;
    this.#block = block;
    this.#endpoint = endpoint;
    this.#allowRank = this.#denyRank = NEVER_RANKED;
    this.allowRule = this.denyRule = NONE;
  }

  /** Named rules whose patterns match a normalised hostname; with root `tcp`, tcp rules that have this host. */
  matchHost(hostname: Hostname, root: keyof typeof ROOT): void {
    this.#host = this.#hostname = hostname;
    this.#walk(ROOT[root], hostname.length);
  }

  /** Tcp rules whose `cidrs` hold the address. */
  matchAddress(address: IpAddress): void {
    this.#host = null;
    const { dstStarts, dstIntervals, destinations } = this.#sections;
    let block = innermostBlock(dstStarts, dstIntervals, address);
    while (block !== 0) {
      const record = block * DESTINATION.size;
      this.#consider(
        destinations[record + DESTINATION.entries] ?? 0,
        destinations[record + DESTINATION.entryCount] ?? 0,
      );
      block = destinations[record + DESTINATION.parent] ?? 0;
    }
  }

  /** Visits every terminal that matches the labels before `end`, below `node`. Each node is visited at most once. */
  #walk(node: number, end: number): void {
    const { nodes, tags } = this.#sections;
    const at = node * NODE.size;
    if (end < 0) {
      this.#consider(nodes[at + NODE.exact] ?? 0, nodes[at + NODE.exactCount] ?? 0);
      return;
    }
    this.#consider(nodes[at + NODE.deep] ?? 0, nodes[at + NODE.deepCount] ?? 0);
    const hostname = this.#hostname;
    let start = end;
    while (start > 0 && hostname.charCodeAt(start - 1) !== 0x2e) start--;
    const child = this.#literalChild(node, start, end);
    if (child !== 0) this.#walk(child, start - 1);
    const tagEnd = (nodes[at + NODE.tags] ?? 0) + (nodes[at + NODE.tagCount] ?? 0);
    for (let i = nodes[at + NODE.tags] ?? 0; i < tagEnd; i++) this.#walkGlobs(node, tags[i] ?? 0, start, end);
  }

  #literalChild(node: number, start: number, end: number): number {
    const { slots, bytes } = this.#sections;
    const tag = literalTag(end - start);
    const hash = hashEdge(hashText(this.#hostname, start, end, this.#seed), node, tag);
    for (let i = hash & this.#slotMask; ; i = (i + 1) & this.#slotMask) {
      const at = i * SLOT.size;
      const value = slots[at + SLOT.value] ?? 0;
      if (value === 0) return 0;
      if (
        slots[at + SLOT.hash] === hash &&
        slots[at + SLOT.parent] === node &&
        slots[at + SLOT.tag] === tag &&
        sameText(bytes, slots[at + SLOT.text] ?? 0, this.#hostname, start, end)
      ) {
        return value;
      }
    }
  }

  /** Walks on through the globs of one key: so much of the label literal at its start, so much at its end. */
  #walkGlobs(node: number, tag: number, start: number, end: number): void {
    const prefixEnd = start + ((tag >>> 8) & 0xff);
    const suffixStart = end - (tag & 0xff);
    if (prefixEnd >= suffixStart) return;
    const { slots, bytes, globs } = this.#sections;
    const prefixHash = hashText(this.#hostname, start, prefixEnd, this.#seed);
    const hash = hashEdge(hashText(this.#hostname, suffixStart, end, prefixHash), node, tag);
    for (let i = hash & this.#slotMask; ; i = (i + 1) & this.#slotMask) {
      const at = i * SLOT.size;
      const value = slots[at + SLOT.value] ?? 0;
      if (value === 0) return;
      if (slots[at + SLOT.hash] !== hash || slots[at + SLOT.parent] !== node || slots[at + SLOT.tag] !== tag)
        continue;
      const text = slots[at + SLOT.text] ?? 0;
      if (!sameText(bytes, text, this.#hostname, start, prefixEnd)) continue;
      if (!sameText(bytes, text + prefixEnd - start, this.#hostname, suffixStart, end)) continue;
      const last = value + (slots[at + SLOT.count] ?? 0);
      for (let glob = value - 1; glob < last - 1; glob++) {
        const record = glob * GLOB.size;
        const middle = globs[record + GLOB.middle] ?? 0;
        const length = globs[record + GLOB.middleLength] ?? 0;
        if (length === 0 || middleMatches(bytes, middle, length, this.#hostname, prefixEnd, suffixStart)) {
          this.#walk(globs[record + GLOB.child] ?? 0, start - 1);
        }
      }
      return;
    }
  }

  /** Takes the best matching entries of one run. A long run is searched by the source's sets instead of read through. */
  #consider(offset: number, count: number): void {
    if (count === 0) return;
    if (count <= SHORT_RUN || count <= this.#setCount()) {
      for (let entry = offset; entry < offset + count; entry++) this.#take(entry, true);
      return;
    }
    this.#takeSet(offset, count, 0);
    this.#sources.forEachSet(this.#block, set => this.#takeSet(offset, count, set));
    if (this.#endpoint === 0) return;
    this.#sources.forEachSet(this.#endpoint, set => this.#takeSet(offset, count, set));
  }

  #setCount(): number {
    return this.#sources.setCount(this.#block) + this.#sources.setCount(this.#endpoint);
  }

  #isOfSource(set: number): boolean {
    return this.#sources.isIn(this.#block, set) || this.#sources.isIn(this.#endpoint, set);
  }

  #takeSet(offset: number, count: number, set: number): void {
    const { entries } = this.#sections;
    let low = offset;
    let high = offset + count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((entries[middle * ENTRY.size + ENTRY.set] ?? 0) < set) low = middle + 1;
      else high = middle;
    }
    for (; low < offset + count && entries[low * ENTRY.size + ENTRY.set] === set; low++)
      this.#take(low, false);
  }

  #take(entry: number, checkSource: boolean): void {
    const { entries, rules, ports, times } = this.#sections;
    const at = entry * ENTRY.size;
    const rank = entries[at + ENTRY.rank] ?? 0;
    const rule = entries[at + ENTRY.rule] ?? 0;
    const isDeny = ((rules[rule * RULE.size + RULE.flags] ?? 0) & FLAG.deny) !== 0;
    if (rank >= (isDeny ? this.#denyRank : this.#allowRank)) return;
    const record = rule * RULE.size;
    const portCount = rules[record + RULE.portCount] ?? 0;
    if (!containsSorted(ports, rules[record + RULE.ports] ?? 0, portCount, this.#port)) return;
    if (this.#nowMs >= (times[rule + 1] ?? 0)) return;
    const set = entries[at + ENTRY.set] ?? 0;
    if (checkSource && set !== 0 && !this.#isOfSource(set)) return;
    if (isDeny) {
      this.#denyRank = rank;
      this.denyRule = rule;
      this.denyHost = this.#host;
    } else {
      this.#allowRank = rank;
      this.allowRule = rule;
      this.allowHost = this.#host;
    }
  }
}

function sameText(bytes: Uint8Array, offset: number, text: string, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[offset + i - from] !== text.charCodeAt(i)) return false;
  return true;
}

/**
 * Whether the part of a label between a glob's first and last literal can be filled: each star takes at least one
 * character, and taking each middle literal where it first occurs leaves the most room for the rest.
 */
function middleMatches(
  bytes: Uint8Array,
  offset: number,
  length: number,
  text: string,
  from: number,
  to: number,
): boolean {
  let at = from;
  let part = offset;
  while (part < offset + length) {
    let partEnd = part;
    while (partEnd < offset + length && bytes[partEnd] !== 0x2a) partEnd++;
    const size = partEnd - part;
    let found = at + 1;
    while (found + size < to && !sameText(bytes, part, text, found, found + size)) found++;
    if (found + size >= to) return false;
    at = found + size;
    part = partEnd + 1;
  }
  return true;
}
