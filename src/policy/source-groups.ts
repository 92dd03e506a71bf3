import { Cidr, compareWords, type IpAddress } from './address.ts';

/** A source group. */
export interface NamedBlocks {
  readonly name: string;
  readonly cidrs: readonly Cidr[];
  readonly vpcEndpoints?: readonly string[];
}

interface Group {
  readonly name: string;
  readonly blocks: BlockSet;
  readonly endpoints: ReadonlySet<string>;
}

/** The source groups of a policy, for asking which of them an address belongs to. */
export class SourceGroups {
  readonly #groups: readonly Group[];

  constructor(groups: readonly NamedBlocks[]) {
    this.#groups = groups.map(({ name, cidrs, vpcEndpoints = [] }) => ({
      name,
      blocks: new BlockSet(cidrs),
      endpoints: new Set(vpcEndpoints),
    }));
  }

  get names(): readonly string[] {
    return this.#groups.map(({ name }) => name);
  }

  /** The names of all groups that hold the address, or the VPC endpoint that it comes through, in the policy's order. */
  of(source: IpAddress, vpcEndpoint?: string): string[] {
    const holds = ({ blocks, endpoints }: Group) =>
      blocks.holds(source) || (vpcEndpoint !== undefined && endpoints.has(vpcEndpoint));
    return this.#groups.filter(holds).map(({ name }) => name);
  }

  /** What an address, a block, or a group's name stands for; null for anything else. */
  named(text: string): BlockSet | null {
    const block = Cidr.parse(text);
    if (block !== null) return new BlockSet([block]);
    return this.#groups.find(({ name }) => name === text)?.blocks ?? null;
  }
}

/** A set of blocks that answers in logarithmic time. */
export class BlockSet {
  readonly #v4: readonly Cidr[];
  readonly #v6: readonly Cidr[];

  constructor(cidrs: readonly Cidr[]) {
    // Apart, because IPv4 lies inside a block such as ::/0 only by the way it is written down.
    const isV4 = ({ first, prefix }: Cidr) => prefix >= 96 && first.family === 4;
    this.#v4 = outermost(cidrs.filter(isV4));
    this.#v6 = outermost(cidrs.filter(cidr => !isV4(cidr)));
  }

  holds(address: IpAddress): boolean {
    const sorted = address.family === 4 ? this.#v4 : this.#v6;
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const block = sorted[middle];
      if (block === undefined || compareWords(block.first.words, address.words) > 0) high = middle;
      else low = middle + 1;
    }
    return sorted[low - 1]?.contains(address) ?? false;
  }
}

/** Sorted, without those that lie inside another: blocks nest or are disjoint. */
function outermost(cidrs: readonly Cidr[]): Cidr[] {
  const kept: Cidr[] = [];
  const byStart = (a: Cidr, b: Cidr) => compareWords(a.first.words, b.first.words) || a.prefix - b.prefix;
  for (const cidr of [...cidrs].sort(byStart)) {
    if (kept.at(-1)?.contains(cidr.first) !== true) kept.push(cidr);
  }
  return kept;
}
