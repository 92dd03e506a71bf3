import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SourceCounts } from '../../src/dataplane/source-counts.ts';
import { IpAddress } from '../../src/policy/address.ts';
import { ip } from '../resolve/support.ts';

const A = ip('192.0.2.1');
const B = ip('2001:db8::1');

describe('SourceCounts', () => {
  it('opens up to the limit, and again after one has closed', () => {
    const counts = new SourceCounts();
    expect([counts.tryOpen(A, 2), counts.tryOpen(A, 2), counts.tryOpen(A, 2)]).toEqual([true, true, false]);
    counts.close(A);
    expect([counts.tryOpen(A, 2), counts.tryOpen(A, 2)]).toEqual([true, false]);
  });

  it('counts sources apart', () => {
    const counts = new SourceCounts();
    expect([counts.tryOpen(A, 1), counts.tryOpen(B, 1), counts.tryOpen(A, 1)]).toEqual([true, true, false]);
  });

  it('takes an IPv4 source and its IPv4-mapped form for one', () => {
    const counts = new SourceCounts();
    counts.tryOpen(A, 1);
    expect(counts.tryOpen(ip('::ffff:192.0.2.1'), 1)).toBe(false);
  });

  it('is one table for all views of the same buffer', () => {
    const counts = new SourceCounts();
    counts.tryOpen(A, 1);
    const elsewhere = new SourceCounts(counts.buffer);
    expect(elsewhere.tryOpen(A, 1)).toBe(false);
    elsewhere.close(A);
    expect(counts.tryOpen(A, 1)).toBe(true);
  });

  it('does nothing when a source without flows is closed', () => {
    const counts = new SourceCounts();
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
    const counts = new SourceCounts();
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
    const counts = new SourceCounts();
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
