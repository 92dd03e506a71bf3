import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Cidr, IpAddress } from '../../src/policy/address.ts';
import { DestinationGuard } from '../../src/resolve/guard.ts';
import type { GuardVerdict } from '../../src/resolve/resolver.ts';
import { ip } from './support.ts';

function guardWith(lists: { allow?: string[]; deny?: string[] } = {}): DestinationGuard {
  const cidrs = (texts: string[] = []) => texts.flatMap(text => Cidr.parse(text) ?? []);
  return new DestinationGuard({ allow: cidrs(lists.allow), deny: cidrs(lists.deny) });
}

describe('the guard without exceptions', () => {
  const cases: readonly [string, string, GuardVerdict][] = [
    ['a public IPv4 address', '93.184.216.34', 'ok'],
    ['a public IPv6 address', '2606:2800:220:1::1', 'ok'],
    ['a documentation address', '192.0.2.7', 'ok'],
    ['a documentation address over IPv6', '2001:db8::1', 'ok'],
    ['IPv4 loopback', '127.0.0.1', 'forbidden'],
    ['any other address of 127/8', '127.255.3.9', 'forbidden'],
    ['IPv6 loopback', '::1', 'forbidden'],
    ['unspecified IPv4', '0.0.0.0', 'forbidden'],
    ['"this network"', '0.1.2.3', 'forbidden'],
    ['unspecified IPv6', '::', 'forbidden'],
    ['instance metadata', '169.254.169.254', 'forbidden'],
    ['ECS task credentials', '169.254.170.2', 'forbidden'],
    ['metadata over IPv6', 'fd00:ec2::254', 'forbidden'],
    ["Google Cloud's metadata over IPv6", 'fd20:ce::254', 'forbidden'],
    ["Azure's wire server", '168.63.129.16', 'forbidden'],
    ["Alibaba Cloud's metadata", '100.100.100.200', 'forbidden'],
    ["Oracle Cloud's metadata", '192.0.0.192', 'forbidden'],
    ['IPv6 link-local', 'fe80::1', 'forbidden'],
    ['the last link-local address', 'febf:ffff::1', 'forbidden'],
    ['IPv4 multicast', '224.0.0.251', 'forbidden'],
    ['IPv6 multicast', 'ff02::1', 'forbidden'],
    ['broadcast', '255.255.255.255', 'forbidden'],
    ['reserved', '240.0.0.1', 'forbidden'],
    ['discard-only', '100::1', 'forbidden'],
    ['10/8', '10.1.2.3', 'private'],
    ['172.16/12', '172.31.255.255', 'private'],
    ['just past 172.16/12', '172.32.0.0', 'ok'],
    ['192.168/16', '192.168.0.1', 'private'],
    ['carrier-grade NAT', '100.64.0.1', 'private'],
    ['benchmarking', '198.19.0.1', 'private'],
    ['unique local', 'fd12:3456::1', 'private'],
    ['site-local', 'fec0::1', 'private'],
    ['mapped loopback', '::ffff:127.0.0.1', 'forbidden'],
    ['mapped metadata in hex', '::ffff:a9fe:a9fe', 'forbidden'],
    ['mapped private', '::ffff:10.0.0.1', 'private'],
    ['mapped public', '::ffff:93.184.216.34', 'ok'],
    ['IPv4-compatible loopback', '::127.0.0.1', 'forbidden'],
    ['IPv4-compatible metadata', '::a9fe:a9fe', 'forbidden'],
    ['IPv4-compatible private', '::192.168.1.1', 'private'],
    ['IPv4-translated loopback', '::ffff:0:7f00:1', 'forbidden'],
    ['NAT64 metadata', '64:ff9b::169.254.169.254', 'forbidden'],
    ['NAT64 private', '64:ff9b::10.0.0.1', 'private'],
    ['NAT64 public', '64:ff9b::93.184.216.34', 'ok'],
    ['local-use NAT64 /96 metadata', '64:ff9b:1::a9fe:a9fe', 'forbidden'],
    ['local-use NAT64 /48 metadata', '64:ff9b:1:a9fe:a9:fe00::', 'forbidden'],
    ['local-use NAT64 /48 metadata with a public suffix', '64:ff9b:1:a9fe:a9:fe00:808:808', 'forbidden'],
    ['local-use NAT64 /56 metadata', '64:ff9b:1:a9:fe:a9fe::', 'forbidden'],
    ['local-use NAT64 /64 metadata', '64:ff9b:1:0:a9:fea9:fe00:0', 'forbidden'],
    ['local-use NAT64 private', '64:ff9b:1::10.0.0.1', 'private'],
    ['local-use NAT64 public', '64:ff9b:1::93.184.216.34', 'ok'],
    ['local-use NAT64 of nothing', '64:ff9b:1::', 'forbidden'],
    ['6to4 loopback', '2002:7f00:1::1', 'forbidden'],
    ['6to4 metadata', '2002:a9fe:a9fe::1', 'forbidden'],
    ['6to4 private', '2002:c0a8:101::1', 'private'],
    ['6to4 public', '2002:5db8:d822::1', 'ok'],
    ['Teredo with a loopback client', '2001:0:4136:e378:8000:63bf:80ff:fffe', 'forbidden'],
    ['Teredo with a metadata client', '2001:0:4136:e378:8000:63bf:5601:5601', 'forbidden'],
    ['Teredo with a private client', '2001:0:4136:e378:8000:63bf:f5ff:fffe', 'private'],
    ['Teredo with a public client', '2001:0:4136:e378:8000:63bf:3fff:fdd2', 'ok'],
    ['ISATAP metadata under a public prefix', '2606:2800::5efe:a9fe:a9fe', 'forbidden'],
    ['ISATAP public with the universal bit', '2606:2800::200:5efe:808:808', 'ok'],
    ['ISATAP public under a private prefix', 'fd12::5efe:808:808', 'private'],
  ];
  const guard = guardWith();
  test.each(cases)('%s (%s) is %s', (_sentence, text, verdict) => {
    expect(guard.judge(ip(text))).toBe(verdict);
  });
});

describe('the guard with exceptions', () => {
  const cases: readonly [string, { allow?: string[]; deny?: string[] }, string, GuardVerdict][] = [
    ['allow exempts a private address', { allow: ['10.0.0.0/8'] }, '10.1.2.3', 'ok'],
    ['allow exempts a forbidden address', { allow: ['127.0.0.0/8'] }, '127.0.0.1', 'ok'],
    ['allow of everything opens no metadata', { allow: ['0.0.0.0/0'] }, '169.254.169.254', 'forbidden'],
    ['allow of everything opens no loopback', { allow: ['0.0.0.0/0', '::/0'] }, '::1', 'forbidden'],
    ['allow of one metadata address opens it', { allow: ['169.254.169.254'] }, '169.254.169.254', 'ok'],
    ['allow exempts IPv6 loopback', { allow: ['::1'] }, '::1', 'ok'],
    ['allow covers nothing beyond its block', { allow: ['10.0.0.0/16'] }, '10.1.2.3', 'private'],
    ['allow reads through NAT64', { allow: ['10.0.0.0/8'] }, '64:ff9b::10.1.2.3', 'ok'],
    [
      'allow of a tunnel exempts no inner address',
      { allow: ['64:ff9b::/96'] },
      '64:ff9b::7f00:1',
      'forbidden',
    ],
    ['deny forbids a public address', { deny: ['93.184.216.0/24'] }, '93.184.216.34', 'forbidden'],
    ['deny reads through 6to4', { deny: ['93.184.216.0/24'] }, '2002:5db8:d822::1', 'forbidden'],
    ['deny of a tunnel forbids all of it', { deny: ['2002::/16'] }, '2002:5db8:d822::1', 'forbidden'],
    ['deny wins over allow', { allow: ['10.0.0.0/8'], deny: ['10.1.0.0/16'] }, '10.1.2.3', 'forbidden'],
  ];
  test.each(cases)('%s', (_sentence, lists, text, verdict) => {
    expect(guardWith(lists).judge(ip(text))).toBe(verdict);
  });
});

test('an IPv4 address gets one verdict in every form that carries it', () => {
  const guard = guardWith();
  fc.assert(
    fc.property(fc.integer({ min: 0x01000000, max: 0xffffffff }), word => {
      const verdict = guard.judge(IpAddress.fromV4(word));
      const forms = [
        IpAddress.fromWords(0, 0, 0, word),
        IpAddress.fromWords(0, 0, 0xffff0000, word),
        IpAddress.fromWords(0x0064ff9b, 0, 0, word),
        IpAddress.fromWords(0x20020000 | (word >>> 16), word << 16, 0, 1),
        IpAddress.fromWords(0x20010000, 0x4136e378, 0x800063bf, ~word),
        IpAddress.fromWords(0x26062800, 0, 0x5efe, word),
      ];
      expect(forms.map(form => guard.judge(form))).toEqual(forms.map(() => verdict));
    }),
    { examples: [[0x7f000001], [0xa9fea9fe], [0x0a000001], [0x5db8d822]] },
  );
});
