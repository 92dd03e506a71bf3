import { BytePool } from './byte-pool.ts';
import { BookBuilder } from './compile-book.ts';
import { DestinationIndexBuilder } from './compile-destinations.ts';
import { modeCode, SourceIndexBuilder } from './compile-sources.ts';
import { DESTINATION, ENTRY, FLAG, NODE, packSections, RULE } from './layout.ts';
import type { ParsedPolicy, Rule } from './rules.ts';
import { blockKey, compareRules, specificityKey } from './specificity.ts';
import { TrieBuilder } from './trie-builder.ts';

interface Entry {
  readonly rule: number;
  readonly key: string;
  /** Orders entries by where they end: the trie's node, twice, plus one for `**`; below 0, a block of destinations. */
  readonly terminal: number;
  readonly set: number;
  rank: number;
}

/** Compiles a policy for `Policy.from`. The same policy gives the same bytes. */
export function compilePolicy(policy: ParsedPolicy): SharedArrayBuffer {
  const pool = new BytePool();
  const sources = new SourceIndexBuilder();
  for (const group of policy.sources) sources.addGroup(group);
  // Any seed serves: the keys are the policy's own, so nobody else chooses what collides.
  const seed = Number.parseInt(policy.sha256.slice(0, 8), 16) >>> 0;
  const trie = new TrieBuilder(pool, seed);
  const destinations = new DestinationIndexBuilder();
  const book = new BookBuilder(pool, seed, policy.rules.length);
  const entries: Entry[] = [];
  const rules = new Uint32Array(policy.rules.length * RULE.size);
  const ports = new PortPool();
  for (const [index, rule] of policy.rules.entries()) {
    const set = sources.addFrom(rule.from);
    const at = index * RULE.size;
    const isPart = rule.name === policy.rules[index - 1]?.name;
    rules[at + RULE.flags] = ruleFlags(rule) | (isPart ? FLAG.part : 0);
    rules[at + RULE.ports] = ports.add(rule.ports);
    rules[at + RULE.portCount] = rule.ports.length;
    rules[at + RULE.set] = set;
    book.addRule(rule, isPart, rules.subarray(at, at + RULE.size));
    for (const pattern of rule.hosts) {
      const end = trie.add(pattern, rule.protocol);
      const terminal = 2 * end.node + (end.deep ? 1 : 0);
      entries.push({ rule: index, key: specificityKey(pattern), terminal, set, rank: 0 });
    }
    for (const cidr of rule.cidrs) {
      const terminal = -1 - destinations.add(cidr);
      entries.push({ rule: index, key: blockKey(cidr), terminal, set, rank: 0 });
    }
  }
  for (const group of policy.sources) book.addGroup(group);
  rankEntries(entries, policy.rules);
  const { nodes, slots, globs, tags } = trie.finish();
  const { recordOf, ...index } = destinations.finish();
  const sha = pool.add(policy.sha256);
  return packSections({
    scalars: [
      modeCode(policy.mode),
      policy.ech === 'outer' ? 1 : 0,
      book.ruleCount,
      seed,
      sha,
      policy.sha256.length,
      policy.rules.filter(rule => rule.protocol === 'tcp').length,
    ],
    times: [policy.observeUntilMs, ...policy.rules.map(rule => rule.untilMs)].map(ms => ms ?? Infinity),
    rules,
    entries: layEntries(entries, { nodes, destinations: index.destinations, recordOf }),
    nodes,
    slots,
    globs,
    tags,
    ports: ports.ports,
    ...sources.finish(pool),
    ...index,
    ...book.finish(sources.setTexts),
    bytes: pool.bytes,
  });
}

/** The total order in which entries win: by pattern, then by `compareRules`. */
function rankEntries(entries: readonly Entry[], rules: readonly Rule[]): void {
  const sorted = [...entries].sort((a, b) => {
    if (a.key !== b.key) return a.key < b.key ? -1 : 1;
    const [left, right] = [rules[a.rule], rules[b.rule]];
    return left === undefined || right === undefined || left === right ? 0 : compareRules(left, right);
  });
  for (const [rank, entry] of sorted.entries()) entry.rank = rank;
}

interface Ends {
  readonly nodes: Uint32Array;
  readonly destinations: Uint32Array;
  /** Where the record of each block of destinations begins. */
  readonly recordOf: readonly number[];
}

/** Lays entries in runs and writes each run's place into the node or the block where it ends. */
function layEntries(entries: Entry[], { nodes, destinations, recordOf }: Ends): Uint32Array {
  entries.sort((a, b) => a.terminal - b.terminal || a.set - b.set || a.rank - b.rank);
  const words = new Uint32Array(entries.length * ENTRY.size);
  for (const [i, entry] of entries.entries()) {
    words.set([entry.set, entry.rank, entry.rule], i * ENTRY.size);
    if (entry.terminal < 0) {
      const record = recordOf[-1 - entry.terminal] ?? 0;
      extendRun(destinations, record + DESTINATION.entries, record + DESTINATION.entryCount, i);
      continue;
    }
    const isDeep = entry.terminal % 2 === 1;
    const node = ((entry.terminal - (isDeep ? 1 : 0)) / 2) * NODE.size;
    if (isDeep) extendRun(nodes, node + NODE.deep, node + NODE.deepCount, i);
    else extendRun(nodes, node + NODE.exact, node + NODE.exactCount, i);
  }
  return words;
}

/** Takes the entry, the next one or the first, into the run whose beginning and length stand at these places. */
function extendRun(words: Uint32Array, first: number, count: number, entry: number): void {
  if (words[count] === 0) words[first] = entry;
  words[count] = (words[count] ?? 0) + 1;
}

function ruleFlags(rule: Rule): number {
  return (
    (rule.action === 'deny' ? FLAG.deny : 0) |
    (rule.allowPrivate ? FLAG.allowPrivate : 0) |
    (rule.protocol === 'tcp' ? FLAG.tcp : 0) |
    (rule.ech === 'deny' ? FLAG.echDeny : 0) |
    (rule.ech === 'outer' ? FLAG.echOuter : 0)
  );
}

class PortPool {
  readonly ports: number[] = [];
  readonly #offsets = new Map<string, number>();

  add(list: readonly number[]): number {
    const key = list.join(' ');
    const known = this.#offsets.get(key);
    if (known !== undefined) return known;
    const offset = this.ports.length;
    for (const port of list) this.ports.push(port);
    this.#offsets.set(key, offset);
    return offset;
  }
}
