import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SourceCounts } from '../../src/dataplane/source-counts.ts';
import { IpAddress } from '../../src/policy/address.ts';
import { ip } from '../resolve/support.ts';

const A = ip('192.0.2.1');
const B = ip('2001:db8::1');

describe('SourceCounts', () => {
  it('opens up to the limit, and again after one has closed', () => {
    const counts = SourceCounts.create(2).worker(0);
    expect([counts.tryOpen(A, 2), counts.tryOpen(A, 2), counts.tryOpen(A, 2)]).toEqual([true, true, false]);
    counts.close(A);
    expect([counts.tryOpen(A, 2), counts.tryOpen(A, 2)]).toEqual([true, false]);
  });

  it('counts sources apart', () => {
    const counts = SourceCounts.create(2).worker(0);
    expect([counts.tryOpen(A, 1), counts.tryOpen(B, 1), counts.tryOpen(A, 1)]).toEqual([true, true, false]);
  });

  it('takes an IPv4 source and its IPv4-mapped form for one', () => {
    const counts = SourceCounts.create(2).worker(0);
    counts.tryOpen(A, 1);
    expect(counts.tryOpen(ip('::ffff:192.0.2.1'), 1)).toBe(false);
  });

  it('is one table for all workers, each with a part of its own', () => {
    const table = SourceCounts.create(2);
    const [here, elsewhere] = [table.worker(0), SourceCounts.view(table.buffer, 2).worker(1)];
    here.tryOpen(A, 2);
    expect([elsewhere.tryOpen(A, 2), elsewhere.tryOpen(A, 2)]).toEqual([true, false]);
    elsewhere.close(A);
    expect([here.tryOpen(A, 2), elsewhere.tryOpen(A, 2)]).toEqual([true, false]);
  });

  it('forgets the flows of a worker that died, and nobody else’s', () => {
    const table = SourceCounts.create(2);
    const [dead, alive] = [table.worker(0), table.worker(1)];
    for (const source of [A, A, B]) dead.tryOpen(source, 9);
    alive.tryOpen(A, 9);
    table.forget(0);
    expect([alive.tryOpen(A, 2), alive.tryOpen(A, 2)]).toEqual([true, false]);
    expect([dead.tryOpen(B, 1), dead.tryOpen(B, 1)]).toEqual([true, false]);
  });

  it('takes the locks from a worker that died with one', () => {
    const table = SourceCounts.create(2);
    const cells = new Int32Array(table.buffer);
    const [dead, alive] = [table.worker(0), table.worker(1)];
    dead.tryOpen(A, 1);
    // Each bucket's first cell is its lock: free ones and others' are left alone.
    const locks = cells.length - 1;
    const width = locks / 4_096;
    for (let bucket = 1; bucket < cells.length; bucket += width) cells[bucket] = 1;
    table.forget(0);
    expect(alive.tryOpen(A, 1)).toBe(true);
  });

  it('does nothing when a source without flows is closed', () => {
    const counts = SourceCounts.create(2).worker(0);
    counts.close(A);
    expect([counts.tryOpen(A, 1), counts.tryOpen(A, 1)]).toEqual([true, false]);
  });

  it('agrees with a map, whatever comes', () => {
    const sources = [A, B, ip('192.0.2.2'), ip('::1'), ip('255.255.255.255'), ip('ffff::ffff')];
    const action = fc.record({
      source: fc.nat(sources.length - 1),
      limit: fc.integer({ min: 1, max: 3 }),
      open: fc.boolean(),
    });
    const counts = SourceCounts.create(2).worker(0);
    fc.assert(
      fc.property(fc.array(action, { maxLength: 80 }), actions => {
        const model = new Map<number, number>();
        for (const { source, limit, open } of actions) {
          const address = sources[source] ?? A;
          const before = model.get(source) ?? 0;
          if (open) {
            expect(counts.tryOpen(address, limit)).toBe(before < limit);
            if (before < limit) model.set(source, before + 1);
          } else {
            counts.close(address);
            model.set(source, Math.max(0, before - 1));
          }
        }
        for (const [source, open] of model) for (let i = 0; i < open; i++) counts.close(sources[source] ?? A);
      }),
    );
  });

  it('refuses newcomers to a full bucket, keeps counting those in it, and takes newcomers once there is room', () => {
    const counts = SourceCounts.create(2).worker(0);
    const admitted: IpAddress[] = [];
    let refused: IpAddress | null = null;
    // 65 536 slots in all: before so many sources have been tried, some bucket of 16 is full.
    for (let i = 0; refused === null && i < 65_537; i++) {
      const source = IpAddress.fromV4(0x0a000000 + i);
      if (counts.tryOpen(source, 2)) admitted.push(source);
      else refused = source;
    }
    if (refused === null) throw new Error('no bucket was full');
    expect(admitted.length).toBeGreaterThan(4_096);
    expect(admitted.every(source => counts.tryOpen(source, 2))).toBe(true);
    expect(admitted.some(source => counts.tryOpen(source, 2))).toBe(false);
    for (const source of admitted) for (let i = 0; i < 2; i++) counts.close(source);
    expect(counts.tryOpen(refused, 1)).toBe(true);
  });
});
