import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packTcpAddresses, TcpAddresses } from '../../src/policy/tcp-addresses.ts';
import { toAddress, toHostname } from './arbitrary-policy.ts';

const ADDRESSES = ['10.0.0.1', '10.0.0.2', '203.0.113.7', '2001:db8::1', 'ffff::1', '0.0.0.0'];
const NAMES = ['a.example', 'b.example', 'long-name.some.where.example'];

describe('the table of addresses', () => {
  it('knows for every address the names that have it, and no others', () => {
    const hosts = fc.uniqueArray(
      fc.record({
        name: fc.constantFrom(...NAMES),
        addresses: fc.array(fc.constantFrom(...ADDRESSES), { maxLength: 8 }),
      }),
      { selector: ({ name }) => name },
    );
    fc.assert(
      fc.property(hosts, hosts => {
        const table = TcpAddresses.from(
          packTcpAddresses(
            hosts.map(({ name, addresses }) => ({
              hostname: toHostname(name),
              addresses: addresses.map(toAddress),
            })),
          ),
        );
        for (const address of ADDRESSES) {
          const expected = hosts.filter(host => host.addresses.includes(address)).map(({ name }) => name);
          expect([...table.namesOf(toAddress(address))].sort()).toEqual(expected.sort());
        }
      }),
    );
  });

  it('is not made of anything else', () => {
    expect(() => TcpAddresses.from(new SharedArrayBuffer(4))).toThrow('not a table of addresses');
    expect(() => TcpAddresses.from(new SharedArrayBuffer(64))).toThrow('not a table of addresses');
  });
});
