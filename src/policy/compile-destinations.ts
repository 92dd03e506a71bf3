import type { Cidr } from './address.ts';
import { DESTINATION } from './layout.ts';
import { type NestedBlocks, nestBlocks } from './nested-blocks.ts';

interface Destination {
  readonly cidr: Cidr;
  /** In the order in which blocks were added. */
  readonly number: number;
}

/** Builds the index of the blocks that tcp rules write, by which an address finds the rules that are for it. */
export class DestinationIndexBuilder {
  readonly #destinations = new Map<string, Destination>();

  /** The number of a block; equal blocks share one. */
  add(cidr: Cidr): number {
    const key = `${cidr.first.words.join(' ')}/${cidr.prefix}`;
    const known = this.#destinations.get(key);
    if (known !== undefined) return known.number;
    const number = this.#destinations.size;
    this.#destinations.set(key, { cidr, number });
    return number;
  }

  /** The sections, and where in `destinations` the record of each number begins: its entries are still missing. */
  finish() {
    const nested: NestedBlocks<Destination> = nestBlocks(this.#destinations.values());
    const destinations = new Uint32Array((nested.blocks.length + 1) * DESTINATION.size);
    const recordOf: number[] = [];
    for (const [i, { value, parent }] of nested.blocks.entries()) {
      const record = (i + 1) * DESTINATION.size;
      destinations[record + DESTINATION.parent] = parent;
      if (value !== null) recordOf[value.number] = record;
    }
    return { dstStarts: nested.starts, dstIntervals: nested.intervals, destinations, recordOf };
  }
}
