import { describe, expect, it } from 'vitest';
import { Cidr, IpAddress } from '../../src/policy/address.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { type Explanation, explain } from '../../src/policy/explain.ts';
import { formatExplanation } from '../../src/policy/explain-text.ts';
import { parseHostname } from '../../src/policy/hostname.ts';
import { Policy } from '../../src/policy/policy.ts';
import { policyOf, rule } from './reference.ts';

const block = Cidr.parse('10.1.0.0/16');
const policy = Policy.from(
  compilePolicy(
    policyOf([
      rule('api', ['api.example.com', 'www.example.com']),
      rule('wild', ['*.cdn.example.com']),
      rule('office', ['office.example.com'], {
        from: block === null ? [] : [{ text: '10.1.0.0/16', cidrs: [block] }],
      }),
      rule('old', ['old.example.com'], { untilMs: 0 }),
      rule('paste', ['**.pastebin.com'], { action: 'deny' }),
    ]),
  ),
);

function explained(host: string | null, port = 443): Explanation {
  const hostname = host === null ? null : parseHostname(host);
  const source = IpAddress.parse('192.0.2.1');
  if (source === null || hostname?.ok === false) throw new Error('bad query');
  return explain(policy, {
    hostname: hostname === null ? null : hostname.hostname,
    address: null,
    port,
    source,
    nowMs: 1,
  });
}

describe('an explanation', () => {
  it('names the deciding rule, its pattern and its place', () => {
    const { action, rule, nearMisses } = explained('www.example.com');
    expect({ action, rule, nearMisses }).toEqual({
      action: 'allow',
      rule: {
        name: 'api',
        action: 'allow',
        pattern: 'www.example.com',
        location: { file: 'policy.yaml', line: 4, col: 9 },
      },
      nearMisses: [],
    });
  });

  it('names the deny rule', () => {
    expect(explained('x.pastebin.com')).toMatchObject({
      action: 'deny',
      rule: { name: 'paste', action: 'deny' },
    });
  });

  it.each([
    ['another port', 'api.example.com', 8443, 'port', 'api'],
    ['other sources', 'office.example.com', 443, 'source', 'office'],
    ['a time that has passed', 'old.example.com', 443, 'expired', 'old'],
    ['the apex of a wildcard', 'cdn.example.com', 443, 'apex', 'wild'],
    ['one label too many under a wildcard', 'a.b.cdn.example.com', 443, 'label-count', 'wild'],
    ['labels before a literal', 'x.api.example.com', 443, 'label-count', 'api'],
    ['a small slip', 'apl.example.com', 443, 'spelling', 'api'],
  ])('tells %s', (_, host, port, kind, name) => {
    expect(explained(host, port).nearMisses[0]).toMatchObject({ kind, rule: name });
  });

  it('has no near miss for a name like no other', () => {
    expect(explained('unrelated.test').nearMisses).toEqual([]);
  });

  it('reads as text', () => {
    expect(formatExplanation(explained('apl.example.com'))).toBe(
      [
        'deny: apl.example.com:443 from 192.0.2.1',
        '  state NO_MATCH: no allow rule matches the hostname, port and source',
        '  mode enforce, ech deny',
        '  nearly:',
        '    policy.yaml:3: rule api api.example.com: is spelled api.example.com',
      ].join('\n'),
    );
    expect(formatExplanation(explained(null))).toContain('deny: no hostname:443');
  });
});
