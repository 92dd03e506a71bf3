import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePolicy } from '../../src/policy/compile.ts';
import { Policy } from '../../src/policy/policy.ts';
import { globChar, policies, query, toAddress, toHostname } from './arbitrary-policy.ts';
import { policyOf, referenceDecide, referenceMode, rule } from './reference.ts';

describe('the compiled policy', () => {
  it('decides as the plain reading of the rules does', () => {
    fc.assert(
      fc.property(policies, fc.array(query, { minLength: 1, maxLength: 20 }), (parsed, queries) => {
        const policy = Policy.from(compilePolicy(parsed));
        for (const q of queries) {
          const expected = referenceDecide(parsed, q.hostname, q.port, q.source, q.nowMs, q.vpcEndpoint);
          const ruling = policy.decide(q);
          expect({ state: ruling.state, rule: ruling.rule, mode: ruling.mode }).toEqual({
            ...expected,
            mode: referenceMode(parsed, q.source, q.nowMs, q.vpcEndpoint),
          });
          expect(policy.modeOf(q.source, q.nowMs, q.vpcEndpoint)).toBe(ruling.mode);
          const decider = parsed.rules[ruling.rule];
          expect(ruling.ech).toBe(decider?.ech ?? parsed.ech);
          expect(ruling.allowPrivate).toBe(ruling.state === 'MATCHED' && decider?.allowPrivate === true);
        }
      }),
      { numRuns: 400 },
    );
  });

  it('matches a glob as the regular expression does', () => {
    const glob = fc
      .string({ unit: globChar, minLength: 1, maxLength: 7 })
      .filter(text => text.includes('*') && !text.includes('**'));
    const label = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 8 });
    const source = toAddress('10.0.0.1');
    fc.assert(
      fc.property(glob, label, (glob, label) => {
        const policy = Policy.from(compilePolicy(policyOf([rule('r', [`${glob}.com`])])));
        const hostname = toHostname(`${label}.com`);
        const expected = new RegExp(`^${glob.replaceAll('*', '.+')}$`).test(label);
        expect(policy.decide({ hostname, port: 443, source, nowMs: 0 }).state).toBe(
          expected ? 'MATCHED' : 'NO_MATCH',
        );
      }),
      { numRuns: 3000 },
    );
  });

  it('says the same whatever the order of the rules', () => {
    fc.assert(
      fc.property(policies, fc.array(query, { minLength: 1, maxLength: 10 }), (parsed, queries) => {
        const forward = Policy.from(compilePolicy(parsed));
        const backward = Policy.from(compilePolicy({ ...parsed, rules: [...parsed.rules].reverse() }));
        for (const q of queries) {
          const [a, b] = [forward.decide(q), backward.decide(q)];
          expect(b.state).toBe(a.state);
          if (a.rule >= 0) expect(backward.ruleName(b.rule)).toBe(forward.ruleName(a.rule));
        }
      }),
      { numRuns: 100 },
    );
  });
});
