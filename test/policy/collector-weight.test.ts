import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { weightOf } from '../../src/policy/collector-weight.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { Policy } from '../../src/policy/policy.ts';
import { policyOf, rule } from './reference.ts';

const MIB = 1024 * 1024;

it('a small policy weighs nothing more than it is', () => {
  expect(weightOf(new SharedArrayBuffer(MIB - 1))).toBeNull();
});

it('large policies that nobody holds are collected without being asked for', async () => {
  const rules = Array.from({ length: 10_000 }, (_, i) => rule(`r${i}`, [`h${i}.example.com`]));
  const compiled = compilePolicy(policyOf(rules));
  expect(compiled.byteLength).toBeGreaterThan(MIB);
  const policies: WeakRef<Policy>[] = [];
  for (let i = 0; i < 100; i++) {
    policies.push(new WeakRef(Policy.from(compiled.slice(0))));
    await setImmediate();
  }
  expect(policies.filter(policy => policy.deref() !== undefined).length).toBeLessThan(50);
});
