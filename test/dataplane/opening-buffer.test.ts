import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OpeningBuffer } from '../../src/dataplane/opening-buffer.ts';
import { bytes } from '../support/client-hello.ts';

describe('OpeningBuffer', () => {
  it('is empty to begin with', () => {
    const buffer = new OpeningBuffer();
    expect([buffer.length, buffer.view(), buffer.take()]).toEqual([0, bytes(), bytes()]);
  });

  it('borrows the first chunk without a copy', () => {
    const buffer = new OpeningBuffer();
    const chunk = bytes(1, 2, 3);
    buffer.append(chunk);
    chunk[0] = 9;
    expect(buffer.view()).toEqual(bytes(9, 2, 3));
  });

  it('keeps what it was told to keep when the chunk changes', () => {
    const buffer = new OpeningBuffer();
    const chunk = bytes(1, 2, 3);
    buffer.append(chunk);
    buffer.keep();
    chunk.fill(0);
    expect([...buffer.view()]).toEqual([1, 2, 3]);
  });

  it('keeps the rest of a borrowed chunk of which some was consumed', () => {
    const buffer = new OpeningBuffer();
    const chunk = bytes(1, 2, 3, 4);
    buffer.append(chunk);
    buffer.consume(2);
    buffer.keep();
    chunk.fill(0);
    buffer.append(bytes(5));
    expect([...buffer.take()]).toEqual([3, 4, 5]);
  });

  it('hands out bytes that are the taker’s own, and is empty then', () => {
    const buffer = new OpeningBuffer();
    const chunk = bytes(1, 2, 3);
    buffer.append(chunk);
    const taken = buffer.take();
    chunk.fill(0);
    buffer.append(bytes(7));
    expect([[...taken], [...buffer.view()]]).toEqual([[1, 2, 3], [7]]);
  });

  it('never writes into a chunk it has borrowed', () => {
    const shared = bytes(1, 2, 3, 4, 5, 6);
    const buffer = new OpeningBuffer();
    buffer.append(shared.subarray(0, 2));
    buffer.append(bytes(9, 9));
    expect(shared).toEqual(bytes(1, 2, 3, 4, 5, 6));
  });

  it('equals plain concatenation, whatever is done in whatever order', () => {
    const action = fc.oneof(
      fc.uint8Array({ maxLength: 5_000, size: 'max' }).map(chunk => ({ kind: 'append' as const, chunk })),
      fc.uint8Array({ maxLength: 9 }).map(chunk => ({ kind: 'append' as const, chunk })),
      fc.nat(20).map(count => ({ kind: 'consume' as const, count })),
      fc.uint8Array({ maxLength: 30 }).map(chunk => ({ kind: 'replace' as const, chunk })),
      fc.constant({ kind: 'take' as const }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 30 }), actions => {
        const buffer = new OpeningBuffer();
        let model = Buffer.alloc(0);
        for (const act of actions) {
          switch (act.kind) {
            case 'append': {
              const shared = Uint8Array.from(act.chunk);
              buffer.append(shared);
              model = Buffer.concat([model, act.chunk]);
              buffer.keep();
              shared.fill(0xee);
              break;
            }
            case 'consume':
              buffer.consume(Math.min(act.count, buffer.length));
              model = model.subarray(act.count);
              break;
            case 'replace':
              buffer.replace(Uint8Array.from(act.chunk));
              model = Buffer.from(act.chunk);
              break;
            default:
              expect(Buffer.from(buffer.take())).toEqual(Buffer.from(model));
              model = Buffer.alloc(0);
          }
          expect(buffer.length).toBe(model.length);
          expect(Buffer.compare(buffer.view(), model)).toBe(0);
        }
      }),
      { numRuns: 300 },
    );
  });
});
