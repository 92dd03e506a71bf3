import { compareWords, type IpAddress } from './address.ts';
import { BytePool } from './byte-pool.ts';
import { foldHostname, type Hostname } from './hostname.ts';
import type { KnownAddresses } from './policy.ts';

/** A host of a tcp rule, and the addresses that it is known by. */
export interface TcpHost {
  readonly hostname: Hostname;
  readonly addresses: readonly IpAddress[];
}

const MAGIC = 0x53505431;
/** Magic, addresses, references, names, bytes. */
const HEADER_WORDS = 5;
/** Four words of the address, then its run of references: where it begins and how long it is. */
const RECORD_WORDS = 6;

/**
 * The flat form of a table from addresses to names, in one SharedArrayBuffer that any thread views. It belongs to no
 * policy: whatever the rules of a flow's policy say of a name holds for its addresses.
 */
export function packTcpAddresses(hosts: readonly TcpHost[]): SharedArrayBuffer {
  const byAddress = new Map<string, { words: readonly number[]; names: Set<number> }>();
  for (const [name, { addresses }] of hosts.entries()) {
    for (const address of addresses) {
      const { words } = address;
      const key = words.join(' ');
      const entry = byAddress.get(key);
      if (entry === undefined) byAddress.set(key, { words, names: new Set([name]) });
      else entry.names.add(name);
    }
  }
  const sorted = [...byAddress.values()].sort((a, b) => compareWords(a.words, b.words));
  const records: number[] = [];
  const references: number[] = [];
  for (const { words, names } of sorted) {
    records.push(...words, references.length, names.size);
    references.push(...names);
  }
  const names: number[] = [];
  const text = new BytePool();
  for (const { hostname } of hosts) names.push(text.add(hostname), hostname.length);
  const header = [MAGIC, sorted.length, references.length, hosts.length, text.bytes.length];
  const words = [header, records, references, names].flat();
  const buffer = new SharedArrayBuffer(4 * words.length + text.bytes.length);
  new Uint32Array(buffer, 0, words.length).set(words);
  new Uint8Array(buffer, 4 * words.length).set(text.bytes);
  return buffer;
}

/** A view of what `packTcpAddresses` made, in constant time on any thread. */
export class TcpAddresses implements KnownAddresses {
  readonly buffer: SharedArrayBuffer;
  readonly #count: number;
  readonly #records: Uint32Array;
  readonly #references: Uint32Array;
  readonly #names: Uint32Array;
  readonly #text: Uint8Array;
  readonly #known: (Hostname | undefined)[] = [];

  private constructor(buffer: SharedArrayBuffer) {
    const header = buffer.byteLength < 4 * HEADER_WORDS ? [] : new Uint32Array(buffer, 0, HEADER_WORDS);
    const [magic, count = 0, references = 0, names = 0, bytes = 0] = header;
    const words = HEADER_WORDS + count * RECORD_WORDS + references + 2 * names;
    if (magic !== MAGIC || buffer.byteLength !== 4 * words + bytes)
      throw new Error('not a table of addresses of this version');
    this.buffer = buffer;
    this.#count = count;
    this.#records = new Uint32Array(buffer, 4 * HEADER_WORDS, count * RECORD_WORDS);
    this.#references = new Uint32Array(buffer, 4 * (HEADER_WORDS + count * RECORD_WORDS), references);
    this.#names = new Uint32Array(buffer, 4 * (words - 2 * names), 2 * names);
    this.#text = new Uint8Array(buffer, 4 * words, bytes);
  }

  /** Throws when the buffer is something else. */
  static from(buffer: SharedArrayBuffer): TcpAddresses {
    return new TcpAddresses(buffer);
  }

  /** Knows no address. */
  static none(): TcpAddresses {
    return new TcpAddresses(packTcpAddresses([]));
  }

  namesOf(address: IpAddress): readonly Hostname[] {
    const at = this.#find(address) * RECORD_WORDS;
    if (at < 0) return [];
    const first = this.#records[at + 4] ?? 0;
    const end = first + (this.#records[at + 5] ?? 0);
    const names: Hostname[] = [];
    for (let i = first; i < end; i++) names.push(this.#nameOf(this.#references[i] ?? 0));
    return names;
  }

  /** The place of the address among the records; -1 for none. */
  #find(address: IpAddress): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = this.#compare(middle, address.words);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return -1;
  }

  /** As `compareWords`, in place: a view for each step would cost more than the search. */
  #compare(record: number, words: readonly number[]): number {
    for (let i = 0; i < 4; i++) {
      const difference = (this.#records[record * RECORD_WORDS + i] ?? 0) - (words[i] ?? 0);
      if (difference !== 0) return difference;
    }
    return 0;
  }

  #nameOf(name: number): Hostname {
    const known = this.#known[name];
    if (known !== undefined) return known;
    const offset = this.#names[2 * name] ?? 0;
    const bytes = this.#text.subarray(offset, offset + (this.#names[2 * name + 1] ?? 0));
    const hostname = foldHostname(String.fromCharCode(...bytes));
    this.#known[name] = hostname;
    return hostname;
  }
}
