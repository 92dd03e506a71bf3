import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Cidr, IpAddress } from '../../src/policy/address.ts';
import { BlockSet, SourceGroups } from '../../src/policy/source-groups.ts';

const words = fc.tuple(
  fc.constantFrom(0, 0x20010db8),
  fc.constantFrom(0, 1),
  fc.constantFrom(0, 0xffff),
  fc.constantFrom(0, 1, 2, 0x0a000000, 0x0a000001, 0xffffffff),
);
const addresses = words.map(parts => IpAddress.fromWords(...parts));
const cidrs = fc
  .tuple(addresses, fc.integer({ min: 0, max: 128 }))
  .map(([ip, prefix]) => Cidr.of(ip, prefix));

test('a set of blocks holds what one of them holds', () => {
  fc.assert(
    fc.property(
      fc.array(cidrs, { maxLength: 12 }),
      fc.array(addresses, { minLength: 1 }),
      (blocks, asked) => {
        const set = new BlockSet(blocks);
        for (const address of asked)
          expect(set.holds(address), String(address)).toBe(blocks.some(block => block.contains(address)));
      },
    ),
  );
});

test('a name, an address and a block stand for addresses, anything else for nothing', () => {
  const cidr = Cidr.parse('10.12.4.0/24');
  const groups = new SourceGroups([{ name: 'build', cidrs: cidr === null ? [] : [cidr] }]);
  const ip = IpAddress.parse('10.12.4.7') ?? IpAddress.fromV4(0);
  const answers = ['build', '10.12.4.7', '10.12.0.0/16', '10.12.5.0/24', 'biuld', ''].map(text =>
    groups.named(text)?.holds(ip),
  );
  expect(answers).toEqual([true, true, true, false, undefined, undefined]);
  expect([groups.names, groups.of(ip), groups.of(IpAddress.fromV4(1))]).toEqual([['build'], ['build'], []]);
});
