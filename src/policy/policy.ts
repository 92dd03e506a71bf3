import type { IpAddress } from './address.ts';
import type { EchMode, Mode, Ruling } from './decision.ts';
import type { Hostname } from './hostname.ts';
import { hashEdge, hashText } from './label-hash.ts';
import {
  ENTRY,
  FLAG,
  GLOB,
  literalTag,
  NODE,
  RULE,
  SCALAR,
  type Sections,
  SLOT,
  viewSections,
} from './layout.ts';
import { containsSorted, SourceIndex } from './source-index.ts';

/** What a flow asks: the name it gave (null for none), the port, and who asks. */
export interface PolicyQuery {
  readonly hostname: Hostname | null;
  readonly port: number;
  readonly source: IpAddress;
  /** Epoch milliseconds. */
  readonly nowMs: number;
}

const NONE = -1;
const NEVER_RANKED = 0xffffffff;
/** Up to here a run of entries is read through; beyond, looked up by the source's sets. */
const SHORT_RUN = 16;

/**
 * A compiled policy. A view over shared memory: made in constant time on any thread, never written to. One instance
 * serves one thread, because a decision keeps its scratch in the instance.
 */
export class Policy {
  readonly buffer: SharedArrayBuffer;
  readonly ruleCount: number;
  /** Of the policy's files, lower-case hex. */
  readonly sha256: string;
  /** Epoch milliseconds from which `observe` is `enforce`; null for never. */
  readonly observeUntilMs: number | null;
  readonly #sections: Sections;
  readonly #sources: SourceIndex;
  readonly #mode: Mode;
  /** Infinity for never. */
  readonly #observeUntilMs: number;
  readonly #ech: EchMode;
  readonly #seed: number;
  readonly #slotMask: number;
  readonly #names: (string | undefined)[] = [];

  // The question being answered, and the best entry of each action so far.
  #hostname = '';
  #port = 0;
  #nowMs = 0;
  #block = 0;
  #allowRank = NEVER_RANKED;
  #allowRule = NONE;
  #denyRank = NEVER_RANKED;
  #denyRule = NONE;

  private constructor(buffer: SharedArrayBuffer) {
    const sections = viewSections(buffer);
    const { scalars } = sections;
    this.buffer = buffer;
    this.#sections = sections;
    this.#sources = new SourceIndex(sections);
    this.#mode = scalars[SCALAR.mode] === 1 ? 'observe' : 'enforce';
    this.#observeUntilMs = sections.times[0] ?? 0;
    this.observeUntilMs = this.#observeUntilMs === Infinity ? null : this.#observeUntilMs;
    this.#ech = scalars[SCALAR.ech] === 1 ? 'outer' : 'deny';
    this.#seed = scalars[SCALAR.seed] ?? 0;
    this.#slotMask = sections.slots.length / SLOT.size - 1;
    this.ruleCount = scalars[SCALAR.ruleCount] ?? 0;
    this.sha256 = this.#text(scalars[SCALAR.shaOffset] ?? 0, scalars[SCALAR.shaLength] ?? 0);
  }

  /** Views what `compilePolicy` made. Throws when the buffer is something else. */
  static from(buffer: SharedArrayBuffer): Policy {
    return new Policy(buffer);
  }

  /**
   * The policy's answer: a deny rule that matches wins over all, then the allow rule with the most specific pattern,
   * else nothing matches. A rule matches by pattern, port, source and `until`.
   */
  decide(query: PolicyQuery): Ruling {
    const block = this.#sources.blockOf(query.source);
    const mode = this.#modeOfBlock(block, query.nowMs);
    if (query.hostname === null) return this.#unmatched('no_hostname', mode);
    this.#hostname = query.hostname;
    this.#port = query.port;
    this.#nowMs = query.nowMs;
    this.#block = block;
    this.#allowRank = this.#denyRank = NEVER_RANKED;
    this.#allowRule = this.#denyRule = NONE;
    this.#walk(0, query.hostname.length);
    if (this.#denyRule !== NONE) {
      const rule = this.#denyRule;
      return {
        state: 'DENIED',
        rule,
        reason: 'rule_denied',
        mode,
        allowPrivate: false,
        ech: this.#echOf(rule),
      };
    }
    if (this.#allowRule === NONE) return this.#unmatched('not_allowed', mode);
    const rule = this.#allowRule;
    const allowPrivate = (this.#flags(rule) & FLAG.allowPrivate) !== 0;
    return { state: 'MATCHED', rule, reason: null, mode, allowPrivate, ech: this.#echOf(rule) };
  }

  /** The mode in force for a source: its group's own, else the policy's, which `observeUntil` turns into enforce. */
  modeOf(source: IpAddress, nowMs: number): Mode {
    return this.#modeOfBlock(this.#sources.blockOf(source), nowMs);
  }

  /** The mode that the policy says for sources without one of their own; `observeUntil` turns it into enforce. */
  modeAt(nowMs: number): Mode {
    return this.#modeOfBlock(0, nowMs);
  }

  /** A number that two sources share only if no rule and no group tells them apart. */
  sourceClass(source: IpAddress): number {
    return this.#sources.blockOf(source);
  }

  /** The name of a rule by the index in a `Ruling`. Throws a RangeError for an index that is none. */
  ruleName(index: number): string {
    const known = this.#names[index];
    if (known !== undefined) return known;
    if (!Number.isInteger(index) || index < 0 || index >= this.#sections.rules.length / RULE.size)
      throw new RangeError(`no rule ${index}`);
    const { rules } = this.#sections;
    const at = index * RULE.size;
    const name = this.#text(rules[at + RULE.name] ?? 0, rules[at + RULE.nameLength] ?? 0);
    this.#names[index] = name;
    return name;
  }

  #modeOfBlock(block: number, nowMs: number): Mode {
    const code = this.#sources.modeCode(block);
    if (code !== 0) return code === 1 ? 'observe' : 'enforce';
    return this.#mode === 'observe' && nowMs < this.#observeUntilMs ? 'observe' : 'enforce';
  }

  #unmatched(reason: 'not_allowed' | 'no_hostname', mode: Mode): Ruling {
    return { state: 'NO_MATCH', rule: NONE, reason, mode, allowPrivate: false, ech: this.#ech };
  }

  #flags(rule: number): number {
    return this.#sections.rules[rule * RULE.size + RULE.flags] ?? 0;
  }

  #echOf(rule: number): EchMode {
    const flags = this.#flags(rule);
    if ((flags & FLAG.echOuter) !== 0) return 'outer';
    return (flags & FLAG.echDeny) !== 0 ? 'deny' : this.#ech;
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
    if (count <= SHORT_RUN || count <= this.#sources.setCount(this.#block)) {
      for (let entry = offset; entry < offset + count; entry++) this.#take(entry, true);
      return;
    }
    this.#takeSet(offset, count, 0);
    this.#sources.forEachSet(this.#block, set => this.#takeSet(offset, count, set));
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
    const isDeny = (this.#flags(rule) & FLAG.deny) !== 0;
    if (rank >= (isDeny ? this.#denyRank : this.#allowRank)) return;
    const record = rule * RULE.size;
    const portCount = rules[record + RULE.portCount] ?? 0;
    if (!containsSorted(ports, rules[record + RULE.ports] ?? 0, portCount, this.#port)) return;
    if (this.#nowMs >= (times[rule + 1] ?? 0)) return;
    const set = entries[at + ENTRY.set] ?? 0;
    if (checkSource && set !== 0 && !this.#sources.isIn(this.#block, set)) return;
    if (isDeny) {
      this.#denyRank = rank;
      this.#denyRule = rule;
    } else {
      this.#allowRank = rank;
      this.#allowRule = rule;
    }
  }

  #text(offset: number, length: number): string {
    return String.fromCharCode(...this.#sections.bytes.subarray(offset, offset + length));
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
