import { describe, expect, it } from 'vitest';
import { Cidr, IpAddress } from '../../src/policy/address.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import type { Ruling } from '../../src/policy/decision.ts';
import { type Hostname, parseHostname } from '../../src/policy/hostname.ts';
import { Policy } from '../../src/policy/policy.ts';
import type { ParsedPolicy, SourceItem } from '../../src/policy/rules.ts';
import { policyOf, rule } from './reference.ts';

const location = { file: 'policy.yaml', line: 1, col: 1 };

function compiled(parsed: ParsedPolicy): Policy {
  return Policy.from(compilePolicy(parsed));
}

function ask(
  policy: Policy,
  host: string,
  rest: { port?: number; source?: string; nowMs?: number } = {},
): string {
  const { port = 443, source = '10.0.0.1', nowMs = 0 } = rest;
  const ruling = policy.decide({ hostname: hostname(host), port, source: address(source), nowMs });
  return ruling.rule < 0 ? ruling.state : `${ruling.state} ${policy.ruleName(ruling.rule)}`;
}

function hostname(text: string): Hostname {
  const parsed = parseHostname(text);
  if (!parsed.ok) throw new Error(text);
  return parsed.hostname;
}

function address(text: string): IpAddress {
  const parsed = IpAddress.parse(text);
  if (parsed === null) throw new Error(text);
  return parsed;
}

function from(...texts: string[]): SourceItem[] {
  return texts.map(text => ({ text, cidrs: [cidr(text)] }));
}

function cidr(text: string): Cidr {
  const parsed = Cidr.parse(text);
  if (parsed === null) throw new Error(text);
  return parsed;
}

describe('which rule decides', () => {
  const policy = compiled(
    policyOf([
      rule('deep', ['**.a.com']),
      rule('star', ['*.a.com']),
      rule('glob', ['ap*.a.com']),
      rule('longer-glob', ['api*.a.com']),
      rule('literal', ['api1.a.com']),
      rule('ports', ['api1.a.com'], { ports: [443, 8443] }),
      rule('sources', ['api1.a.com'], { from: from('10.1.0.0/16') }),
      rule('narrow-sources', ['api1.a.com'], { from: from('10.1.2.0/24') }),
      rule('past', ['b.com'], { untilMs: 1000 }),
      rule('denied', ['**.evil.a.com'], { action: 'deny' }),
      rule('allowed-in-vain', ['x.evil.a.com']),
    ]),
  );

  it.each([
    ['a literal before a glob', 'api1.a.com', {}, 'MATCHED literal'],
    ['the glob with more literal characters', 'api2.a.com', {}, 'MATCHED longer-glob'],
    ['the glob with fewer, where only it matches', 'app.a.com', {}, 'MATCHED glob'],
    ['* before **', 'x.a.com', {}, 'MATCHED star'],
    ['** where the depth is greater', 'x.y.a.com', {}, 'MATCHED deep'],
    ['not the apex', 'a.com', {}, 'NO_MATCH'],
    ['not a name that merely ends alike', 'xa.com', {}, 'NO_MATCH'],
    ['the next rule where the port is another', 'api1.a.com', { port: 8443 }, 'MATCHED ports'],
    ['the narrowest sources', 'api1.a.com', { source: '10.1.2.3' }, 'MATCHED narrow-sources'],
    ['the wider sources', 'api1.a.com', { source: '10.1.3.3' }, 'MATCHED sources'],
    ['a rule until its time', 'b.com', { nowMs: 999 }, 'MATCHED past'],
    ['not a rule after its time', 'b.com', { nowMs: 1000 }, 'NO_MATCH'],
    ['a deny rule however specific the allow rule', 'x.evil.a.com', {}, 'DENIED denied'],
  ])('%s', (_, host, rest, expected) => {
    expect(ask(policy, host, rest)).toBe(expected);
  });
});

describe('a ruling', () => {
  const policy = compiled(
    policyOf([rule('a', ['a.com'], { allowPrivate: true, ech: 'outer' }), rule('b', ['b.com'])], {
      mode: 'observe',
      observeUntilMs: 1000,
    }),
  );
  const decide = (host: string | null, nowMs = 0): Ruling =>
    policy.decide({
      hostname: host === null ? null : hostname(host),
      port: 443,
      source: address('::1'),
      nowMs,
    });

  it('carries what the rule says', () => {
    expect(decide('a.com')).toEqual({
      state: 'MATCHED',
      rule: 0,
      reason: null,
      mode: 'observe',
      allowPrivate: true,
      ech: 'outer',
    });
  });

  it('carries what the policy says where the rule says nothing', () => {
    expect(decide('b.com')).toMatchObject({ allowPrivate: false, ech: 'deny' });
  });

  it('says that no host was named', () => {
    expect(decide(null)).toEqual({
      state: 'NO_MATCH',
      rule: -1,
      reason: 'no_hostname',
      mode: 'observe',
      allowPrivate: false,
      ech: 'deny',
    });
  });

  it('enforces from observeUntil on', () => {
    expect([decide('x.com', 999).mode, decide('x.com', 1000).mode]).toEqual(['observe', 'enforce']);
  });

  it('keeps no answer of the question before', () => {
    decide('a.com');
    expect(decide('x.com').state).toBe('NO_MATCH');
  });
});

describe('the mode of a source', () => {
  const group = (name: string, text: string, mode: 'observe' | 'enforce' | null) => ({
    name,
    cidrs: [cidr(text)],
    mode,
    location,
  });
  const policy = compiled(
    policyOf([], {
      mode: 'observe',
      observeUntilMs: 1000,
      sources: [
        group('all', '10.0.0.0/8', 'enforce'),
        group('lagging', '10.12.0.0/16', 'observe'),
        group('silent', '10.12.9.0/24', null),
        group('both-a', '10.13.0.0/16', 'enforce'),
        group('both-b', '10.13.0.0/16', 'observe'),
        group('six', '::/0', 'enforce'),
      ],
    }),
  );

  it.each([
    ['the policy has it for a source of no group', '192.0.2.1', 0, 'observe'],
    ['a group has its own', '10.1.1.1', 0, 'enforce'],
    ['the narrower block wins', '10.12.1.1', 0, 'observe'],
    ['observeUntil does not touch a group', '10.12.1.1', 2000, 'observe'],
    ['a group without one changes nothing', '10.12.9.1', 0, 'observe'],
    ['enforce wins between equals', '10.13.1.1', 0, 'enforce'],
    ['::/0 holds IPv6', '2001:db8::1', 0, 'enforce'],
    ['::/0 does not hold IPv4', '198.51.100.1', 0, 'observe'],
  ])('%s', (_, source, nowMs, mode) => {
    expect(policy.modeOf(address(source), nowMs)).toBe(mode);
  });
});

describe('a large policy', () => {
  it('finds the rule of one among 1 000 source groups for the same host', () => {
    const rules = Array.from({ length: 1000 }, (_, i) =>
      rule(`r${i}`, ['a.com'], { from: from(`10.${i >> 8}.${i & 255}.0/24`) }),
    );
    const policy = compiled(policyOf([...rules, rule('any', ['a.com'], { ports: [80] })]));
    for (const i of [0, 1, 255, 256, 999]) {
      expect(ask(policy, 'a.com', { source: `10.${i >> 8}.${i & 255}.7` })).toBe(`MATCHED r${i}`);
    }
    expect(ask(policy, 'a.com', { source: '11.0.0.1' })).toBe('NO_MATCH');
    expect(ask(policy, 'a.com', { source: '10.0.0.1', port: 80 })).toBe('MATCHED any');
  });

  it('tells 100 000 globs of one parent apart', () => {
    const hosts = Array.from({ length: 100_000 }, (_, i) => `t${i}-*.a.com`);
    const policy = compiled(policyOf([rule('globs', hosts), rule('other', ['u-*.a.com'])]));
    expect(ask(policy, 't99999-x.a.com')).toBe('MATCHED globs');
    expect(ask(policy, 't100000-x.a.com')).toBe('NO_MATCH');
    expect(ask(policy, 'u-1.a.com')).toBe('MATCHED other');
  });

  it('names its rules', () => {
    const policy = compiled(policyOf([rule('one', ['a.com']), rule('two', ['b.com'])]));
    expect([policy.ruleName(0), policy.ruleName(1), policy.ruleCount]).toEqual(['one', 'two', 2]);
    expect(() => policy.ruleName(2)).toThrow(RangeError);
  });
});

describe('a buffer', () => {
  it('carries the whole policy to another view', () => {
    const parsed = policyOf([rule('a', ['a.com'])]);
    const policy = compiled(parsed);
    const view = Policy.from(policy.buffer);
    expect([ask(view, 'a.com'), view.sha256]).toEqual(['MATCHED a', parsed.sha256]);
  });

  it('that is no policy is refused', () => {
    expect(() => Policy.from(new SharedArrayBuffer(4))).toThrow('not a compiled policy');
    expect(() => Policy.from(new SharedArrayBuffer(4096))).toThrow('not a compiled policy');
  });

  it('is the same for the same policy', () => {
    const parsed = policyOf([rule('a', ['*.a.com', 'b.com'])]);
    expect(Buffer.from(compilePolicy(parsed))).toEqual(Buffer.from(compilePolicy(parsed)));
  });
});
