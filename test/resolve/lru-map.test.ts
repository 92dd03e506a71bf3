import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LruMap } from '../../src/resolve/lru-map.ts';

test('behaves as a list that is searched and cut, whatever is done to it', () => {
  const key = fc.integer({ min: 0, max: 6 });
  const operation = fc.oneof(
    fc.record({ verb: fc.constantFrom('set', 'use', 'peek', 'delete'), key }),
    fc.constant({ verb: 'clear', key: 0 }),
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), operations => {
      const map = new LruMap<number, number>(3);
      let model: [number, number][] = [];
      for (const [step, { verb, key }] of operations.entries()) {
        const known = model.find(([other]) => other === key);
        const others = model.filter(([other]) => other !== key);
        switch (verb) {
          case 'set': {
            const evicts = others.length === 3;
            expect(map.set(key, step)).toBe(evicts ? others[0]?.[1] : undefined);
            model = [...(evicts ? others.slice(1) : others), [key, step]];
            break;
          }
          case 'use':
            expect(map.use(key)).toBe(known?.[1]);
            if (known !== undefined) model = [...others, known];
            break;
          case 'peek':
            expect(map.peek(key)).toBe(known?.[1]);
            break;
          case 'clear':
            map.clear();
            model = [];
            break;
          default:
            map.delete(key);
            model = others;
        }
        expect(map.size).toBe(model.length);
        expect(map.oldest()).toBe(model[0]?.[1]);
        // Values are the step they were set at, and set moves a key to the end: that is the order they came in.
        expect(map.values()).toEqual(model.map(([, value]) => value).toSorted((a, b) => a - b));
      }
    }),
  );
});
