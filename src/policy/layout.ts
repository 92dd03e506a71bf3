/**
 * The flat form of a compiled policy: a header and typed-array sections in one SharedArrayBuffer, which any thread
 * views without copying. Texts are ASCII bytes in `bytes`, where nothing else is said; all references are indexes, never pointers.
 */
export interface Sections {
  /** See `SCALAR`. */
  readonly scalars: Uint32Array;
  /** Epoch milliseconds, Infinity for never: `observeUntil`, then `until` of each rule. */
  readonly times: Float64Array;
  /** Records of `RULE`. */
  readonly rules: Uint32Array;
  /** Records of `ENTRY`, in runs that belong to one terminal, each run sorted by source set, then rank. */
  readonly entries: Uint32Array;
  /** Records of `NODE`; 0 is the root of named rules' patterns, 1 that of tcp rules' hosts. */
  readonly nodes: Uint32Array;
  /** Open-addressing hash table of `SLOT` records, a power of two in number, at most half full. */
  readonly slots: Uint32Array;
  /** Records of `GLOB`. */
  readonly globs: Uint32Array;
  /** Runs of glob keys (see `globTag`), one run a node. */
  readonly tags: Uint32Array;
  /** Runs of sorted ports, one run a distinct port list. */
  readonly ports: Uint32Array;
  /** Four words each: sorted first addresses of disjoint intervals. */
  readonly starts: Uint32Array;
  /** Beside `starts`: the innermost block over the interval, 0 for none. */
  readonly intervals: Uint32Array;
  /** Records of `BLOCK`; 0 stands for no block. */
  readonly blocks: Uint32Array;
  /** Records of `ENDPOINT`, in the order of their texts. */
  readonly endpoints: Uint32Array;
  /** Runs of sorted source-set ids, one run a block. */
  readonly sets: Uint32Array;
  /** As `starts`, for the destinations of tcp rules. */
  readonly dstStarts: Uint32Array;
  /** Beside `dstStarts`: the innermost destination over the interval, 0 for none. */
  readonly dstIntervals: Uint32Array;
  /** Records of `DESTINATION`; 0 stands for none. */
  readonly destinations: Uint32Array;
  /** Records of `HOST`, one run a rule: its patterns as they are written. */
  readonly hosts: Uint32Array;
  /** Records of `TEXT`, beside source-set ids: the items of the set in words; 0 is empty. */
  readonly setTexts: Uint32Array;
  /** Records of `TEXT`, UTF-8: the files that rules stand in. */
  readonly files: Uint32Array;
  /** Open-addressing hash table: 1 + the rule whose name it is, 0 for an empty place. A power of two, at most half full. */
  readonly names: Uint32Array;
  /** Records of `GROUP`. */
  readonly groups: Uint32Array;
  /** Records of `CIDR`, one run a group and one a tcp rule. */
  readonly cidrs: Uint32Array;
  /** Records of `TEXT`, one run a group: its VPC endpoints. */
  readonly groupEndpoints: Uint32Array;
  readonly bytes: Uint8Array;
}

/** `ruleCount`: rules as they are written, however many parts they have. */
export const SCALAR = {
  mode: 0,
  ech: 1,
  ruleCount: 2,
  seed: 3,
  shaOffset: 4,
  shaLength: 5,
  tcpRuleCount: 6,
  size: 7,
} as const;
/** `file`, `line` and `col`: where the rule stands. */
export const RULE = {
  flags: 0,
  ports: 1,
  portCount: 2,
  name: 3,
  nameLength: 4,
  set: 5,
  hosts: 6,
  hostCount: 7,
  file: 8,
  line: 9,
  col: 10,
  cidrs: 11,
  cidrCount: 12,
  size: 13,
} as const;
export const ENTRY = { set: 0, rank: 1, rule: 2, size: 3 } as const;
/** `exact`: entries of patterns that end here; `deep`: entries of patterns with `**` before this node. */
export const NODE = {
  exact: 0,
  exactCount: 1,
  deep: 2,
  deepCount: 3,
  tags: 4,
  tagCount: 5,
  size: 6,
} as const;
/** `value`: 0 empty; for a literal the child node; for a glob key 1 + its first glob, of which there are `count`. */
export const SLOT = { hash: 0, parent: 1, tag: 2, text: 3, value: 4, count: 5, size: 6 } as const;
/** `middle`: the literal parts between the outer stars, joined by `*`; length 0 when there is one star only. */
export const GLOB = { child: 0, middle: 1, middleLength: 2, size: 3 } as const;
/** `mode`: 0 the policy's own, 1 observe, 2 enforce; already inherited from enclosing blocks. */
export const BLOCK = { parent: 0, sets: 1, setCount: 2, mode: 3, size: 4 } as const;
/** A VPC endpoint. `block`: with the sets and the mode of those who come through it; it lies in no other. */
export const ENDPOINT = { text: 0, length: 1, block: 2, size: 3 } as const;
/** `entries`: of the blocks that tcp rules write, a run of entries. */
export const DESTINATION = { parent: 0, entries: 1, entryCount: 2, size: 3 } as const;
export const HOST = { text: 0, length: 1, line: 2, col: 3, size: 4 } as const;
export const TEXT = { offset: 0, length: 1, size: 2 } as const;
export const GROUP = {
  name: 0,
  nameLength: 1,
  cidrs: 2,
  cidrCount: 3,
  endpoints: 4,
  endpointCount: 5,
  size: 6,
} as const;
/** `first`: four words. */
export const CIDR = { first: 0, prefix: 4, size: 5 } as const;

/** `part`: it goes on with the rule before it. */
export const FLAG = { deny: 1, allowPrivate: 2, echDeny: 4, echOuter: 8, part: 16, tcp: 32 } as const;

/** Nodes where walks begin. */
export const ROOT = { named: 0, tcp: 1 } as const;

/** The key of a literal label is its length, so that equal keys compare equal lengths. */
export function literalTag(length: number): number {
  return length;
}

/** The key of a glob label is how much of it is literal before the first and after the last star. */
export function globTag(prefixLength: number, suffixLength: number): number {
  return 0x10000 | (prefixLength << 8) | suffixLength;
}

const MAGIC = 0x53504c34;
const HEADER_WORDS = 2;

const SECTION_TYPES = {
  times: Float64Array,
  scalars: Uint32Array,
  rules: Uint32Array,
  entries: Uint32Array,
  nodes: Uint32Array,
  slots: Uint32Array,
  globs: Uint32Array,
  tags: Uint32Array,
  ports: Uint32Array,
  starts: Uint32Array,
  intervals: Uint32Array,
  blocks: Uint32Array,
  endpoints: Uint32Array,
  sets: Uint32Array,
  dstStarts: Uint32Array,
  dstIntervals: Uint32Array,
  destinations: Uint32Array,
  hosts: Uint32Array,
  setTexts: Uint32Array,
  files: Uint32Array,
  names: Uint32Array,
  groups: Uint32Array,
  cidrs: Uint32Array,
  groupEndpoints: Uint32Array,
  bytes: Uint8Array,
} as const;

const SECTION_NAMES = Object.keys(SECTION_TYPES) as (keyof Sections)[];

/** Copies sections into one buffer. */
export function packSections(
  sections: { readonly [K in keyof Sections]: ArrayLike<number> },
): SharedArrayBuffer {
  const headerBytes = 4 * (HEADER_WORDS + 2 * SECTION_NAMES.length);
  let end = align(headerBytes);
  const table = SECTION_NAMES.map(name => {
    const offset = end;
    end = align(offset + sections[name].length * SECTION_TYPES[name].BYTES_PER_ELEMENT);
    return { name, offset };
  });
  const buffer = new SharedArrayBuffer(end);
  const header = new Uint32Array(buffer, 0, headerBytes / 4);
  header.set([MAGIC, end, ...table.flatMap(({ name, offset }) => [offset, sections[name].length])]);
  const views = viewSections(buffer);
  for (const name of SECTION_NAMES) views[name].set(sections[name]);
  return buffer;
}

/** Views a buffer made by `packSections`, whatever its size, in constant time. Throws on any other buffer. */
export function viewSections(buffer: SharedArrayBuffer): Sections {
  const headerWords = HEADER_WORDS + 2 * SECTION_NAMES.length;
  const header =
    buffer.byteLength < 4 * headerWords ? new Uint32Array(0) : new Uint32Array(buffer, 0, headerWords);
  if (header[0] !== MAGIC || header[1] !== buffer.byteLength)
    throw new Error('not a compiled policy of this version');
  const at = (name: keyof Sections): [SharedArrayBuffer, number, number] => {
    const entry = HEADER_WORDS + 2 * SECTION_NAMES.indexOf(name);
    return [buffer, header[entry] ?? 0, header[entry + 1] ?? 0];
  };
  return {
    times: new Float64Array(...at('times')),
    scalars: new Uint32Array(...at('scalars')),
    rules: new Uint32Array(...at('rules')),
    entries: new Uint32Array(...at('entries')),
    nodes: new Uint32Array(...at('nodes')),
    slots: new Uint32Array(...at('slots')),
    globs: new Uint32Array(...at('globs')),
    tags: new Uint32Array(...at('tags')),
    ports: new Uint32Array(...at('ports')),
    starts: new Uint32Array(...at('starts')),
    intervals: new Uint32Array(...at('intervals')),
    blocks: new Uint32Array(...at('blocks')),
    endpoints: new Uint32Array(...at('endpoints')),
    sets: new Uint32Array(...at('sets')),
    dstStarts: new Uint32Array(...at('dstStarts')),
    dstIntervals: new Uint32Array(...at('dstIntervals')),
    destinations: new Uint32Array(...at('destinations')),
    hosts: new Uint32Array(...at('hosts')),
    setTexts: new Uint32Array(...at('setTexts')),
    files: new Uint32Array(...at('files')),
    names: new Uint32Array(...at('names')),
    groups: new Uint32Array(...at('groups')),
    cidrs: new Uint32Array(...at('cidrs')),
    groupEndpoints: new Uint32Array(...at('groupEndpoints')),
    bytes: new Uint8Array(...at('bytes')),
  };
}

function align(bytes: number): number {
  return (bytes + 7) & ~7;
}
