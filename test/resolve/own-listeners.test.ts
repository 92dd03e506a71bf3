import { describe, expect, test } from 'vitest';
import type { IpAddress } from '../../src/policy/address.ts';
import { OwnListeners } from '../../src/resolve/own-listeners.ts';
import { ip } from './support.ts';

const listening = [
  { ip: ip('127.0.0.1'), port: 3128 },
  { ip: ip('0.0.0.0'), port: 15443 },
  { ip: ip('::'), port: 8443 },
];
const hostAddresses = () => [ip('127.0.0.1'), ip('10.12.0.5'), ip('fd12::5')];

describe('a dial is to ourselves', () => {
  const cases: readonly [string, string, number, boolean][] = [
    ['at a listener exactly', '127.0.0.1', 3128, true],
    ['at a loopback listener through the mapped form', '::ffff:127.0.0.1', 3128, true],
    ['at a loopback listener through NAT64', '64:ff9b::7f00:1', 3128, true],
    ['at a loopback listener through 0.0.0.0', '0.0.0.0', 3128, true],
    ['at a loopback listener through ::', '::', 3128, true],
    ['not at another port', '127.0.0.1', 3129, false],
    ["not at another address with a loopback listener's port", '10.12.0.5', 3128, false],
    ['at a wildcard listener through an interface address', '10.12.0.5', 15443, true],
    ['at a wildcard listener through any loopback address', '127.8.8.8', 15443, true],
    ['at an IPv6 wildcard listener through IPv4', '10.12.0.5', 8443, true],
    ['at an IPv6 wildcard listener through ::1', '::1', 8443, true],
    ['at an IPv6 wildcard listener through an interface address', 'fd12::5', 8443, true],
    ["not at a stranger with a wildcard listener's port", '93.184.216.34', 15443, false],
  ];
  const own = new OwnListeners(listening, hostAddresses);
  test.each(cases)('%s', (_sentence, text, port, expected) => {
    expect(own.isOwn(ip(text), port)).toBe(expected);
  });
});

test('the interfaces are read for a wildcard port only, and each time', () => {
  let reads = 0;
  let addresses: IpAddress[] = [];
  const own = new OwnListeners(listening, () => {
    reads++;
    return addresses;
  });
  expect(own.isOwn(ip('10.12.0.9'), 443)).toBe(false);
  expect(reads).toBe(0);
  expect(own.isOwn(ip('10.12.0.9'), 15443)).toBe(false);
  addresses = [ip('10.12.0.9')];
  expect(own.isOwn(ip('10.12.0.9'), 15443)).toBe(true);
  expect(reads).toBe(2);
});

test("this host's interfaces are the default", () => {
  const own = new OwnListeners([{ ip: ip('0.0.0.0'), port: 1 }]);
  expect(own.isOwn(ip('127.0.0.1'), 1)).toBe(true);
  expect(own.isOwn(ip('192.0.2.1'), 1)).toBe(false);
});
