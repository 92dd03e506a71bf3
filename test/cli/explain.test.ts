import { describe, expect, it } from 'vitest';
import { fakeDaemon, fileWith, sallyport } from './support.ts';

const POLICY = `version: 1
mode: enforce
sources:
  build: { cidrs: [10.12.4.0/24] }
  lab: { cidrs: [10.12.9.0/24], mode: observe }
  team-a: { vpcEndpoints: [vpce-08d2bf15fac5001c9] }
rules:
  - { name: api, hosts: [api.example.com, "*.cdn.example.com"], ports: [443, 8443] }
  - { name: inner, hosts: [inner.example.com], from: [build] }
  - { name: private, hosts: [private.example.com], from: [team-a] }
  - { name: never, action: deny, hosts: ["**.pastebin.com"] }
  - { name: git-ssh, hosts: [github.com], ports: [22], protocol: tcp }
  - { name: databases, cidrs: [203.0.113.0/24, "2001:db8::/32"], ports: [5432], protocol: tcp, from: [build] }
`;

describe('explain --policy', () => {
  it.each<[string, string[], number, RegExp]>([
    [
      'an allowed host',
      ['api.example.com'],
      0,
      /^allow: api\.example\.com:443 from 0\.0\.0\.0\n.*rule api, api\.example\.com at .*policy\.yaml:8\n/,
    ],
    ['in capitals', ['API.example.COM'], 0, /^allow: api\.example\.com:443/],
    ['on another port', ['api.example.com:8443'], 0, /^allow: api\.example\.com:8443/],
    ['on a port of no rule', ['api.example.com:22'], 1, /^deny: api\.example\.com:22/],
    ['by a wildcard', ['a.cdn.example.com'], 0, /rule api, \*\.cdn\.example\.com/],
    [
      'a host of no rule, with what nearly matched',
      ['a.b.cdn.example.com'],
      1,
      /^deny: [\s\S]*NO_MATCH[\s\S]*nearly:[\s\S]*\*\*\.cdn\.example\.com would match/,
    ],
    ['a denied host', ['x.pastebin.com'], 1, /^deny: [\s\S]*DENIED: denied by rule never/],
    [
      'a source of the group',
      ['inner.example.com', '--from', '10.12.4.9'],
      0,
      /^allow: .*from 10\.12\.4\.9\n[\s\S]*source in build/,
    ],
    [
      'a host of a tcp rule',
      ['github.com:22'],
      0,
      /^allow: github\.com:22 [\s\S]*rule git-ssh, github\.com at .*:12\n/,
    ],
    [
      'an address in a block',
      ['203.0.113.7:5432', '--from', '10.12.4.9'],
      0,
      /^allow: 203\.0\.113\.7:5432 [\s\S]*rule databases, 203\.0\.113\.0\/24 at/,
    ],
    [
      'an IPv6 address in a block',
      ['[2001:db8::7]:5432', '--from', '10.12.4.9'],
      0,
      /^allow: \[2001:db8::7\]:5432 /,
    ],
    [
      'an address on another port, with what nearly matched',
      ['203.0.113.7:5433', '--from', '10.12.4.9'],
      1,
      /^deny: [\s\S]*databases 203\.0\.113\.0\/24: allows port 5432, not 5433/,
    ],
    ['an IPv6 address without a port', ['2001:db8::7'], 1, /^deny: \[2001:db8::7\]:443 /],
    [
      'a VPC endpoint of the group',
      ['private.example.com', '--vpc-endpoint', 'vpce-08d2bf15fac5001c9'],
      0,
      /^allow: private\.example\.com:443 from 0\.0\.0\.0 through vpce-08d2bf15fac5001c9\n[\s\S]*source in team-a/,
    ],
    [
      'another VPC endpoint, with what nearly matched',
      ['private.example.com', '--vpc-endpoint', 'vpce-0a'],
      1,
      /^deny: [\s\S]*rule private [\s\S]*is for team-a, which does not hold 0\.0\.0\.0 or vpce-0a/,
    ],
    ['another source', ['inner.example.com', '--from', '10.12.5.9'], 1, /^deny: /],
    [
      'a source that is only observed: not denied',
      ['inner.example.com', '--from', '10.12.9.9'],
      0,
      /^would-deny: /,
    ],
  ])('%s', async (_, args, expected, text) => {
    const { code, out, err } = await sallyport(['explain', ...args, '--policy', fileWith(POLICY)]);
    expect([code, err]).toEqual([expected, '']);
    expect(out).toMatch(text);
  });

  it('tells of hosts whose addresses only the daemon knows', async () => {
    const { code, err } = await sallyport(['explain', '140.82.112.3:22', '--policy', fileWith(POLICY)]);
    expect([code, err]).toEqual([1, expect.stringContaining('the running daemon knows')]);
  });

  it('prints JSON when asked for it', async () => {
    const { code, out } = await sallyport([
      'explain',
      'x.pastebin.com',
      '--json',
      '--policy',
      fileWith(POLICY),
    ]);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      hostname: 'x.pastebin.com',
      port: 443,
      action: 'deny',
      rule: { name: 'never' },
    });
  });

  it('says why a policy does not load', async () => {
    const file = fileWith('version: 1\n');
    const { code, out, err } = await sallyport(['explain', 'a.example', '--policy', file]);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain(`${file}:`);
    expect(err).toContain(`sallyport check ${file}`);
  });

  it.each<[string, string[], RegExp]>([
    ['an address with a dot behind it', ['10.0.0.1.'], /10\.0\.0\.1\.: no hostname/],
    ['an IPv6 address in half a bracket', ['[::1:443'], /no port|no hostname/],
    ['a URL', ['https://a.example'], /no port|no hostname/],
    ['a wildcard', ['*.example.com'], /no hostname/],
    ['port 0', ['a.example:0'], /no port from 1 to 65535/],
    ['an empty port', ['a.example:'], /no port from 1 to 65535/],
    ['nothing', [''], /no hostname/],
    ['a source that is no address', ['a.example', '--from', 'build'], /--from build: no IP address/],
  ])('%s is the wrong question: exit code 2', async (_, args, why) => {
    const { code, out, err } = await sallyport(['explain', ...args, '--policy', fileWith(POLICY)]);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(why);
  });
});

describe('explain without a policy asks the daemon', () => {
  it('with host, port and source', async () => {
    const { daemon, admin } = await fakeDaemon();
    const { code, out } = await sallyport([
      'explain',
      'A.example:443',
      '--from',
      '10.0.0.9',
      '--admin',
      admin,
    ]);
    expect([code, daemon.questions]).toEqual([0, ['a.example:443 from 10.0.0.9']]);
    expect(out).toMatch(/^allow: a\.example:443 from 10\.0\.0\.9\n/);
  });

  it('and exits with 1 when the answer is deny', async () => {
    const { admin } = await fakeDaemon();
    expect((await sallyport(['explain', 'b.example', '--admin', admin])).code).toBe(1);
  });
});
