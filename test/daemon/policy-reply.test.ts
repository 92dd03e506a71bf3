import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { CompiledLoad } from '../../src/config/load-compiled.ts';
import { loadFailure } from '../../src/config/load-compiled.ts';
import { encodeReply, ReplyReader } from '../../src/daemon/policy-reply.ts';

function loaded(bytes: readonly number[] | null): CompiledLoad {
  const policy = bytes === null ? null : new SharedArrayBuffer(bytes.length);
  if (policy !== null) new Uint8Array(policy).set(bytes ?? []);
  const presets = { own: [], inUse: ['ecr'], vars: new Map([['region', ['us-east-1', 'eu-west-1']]]) };
  return { ok: true, policy, warnings: [], presets };
}

const loads = fc.oneof(
  fc.array(fc.nat(255), { minLength: 1, maxLength: 200 }).map(loaded),
  fc.constant(loaded(null)),
  fc.string({ unit: 'binary' }).map(text => loadFailure('policy.yaml', text, 'mend it')),
);

it('a load arrives as it was sent, however its bytes are cut', () => {
  fc.assert(
    fc.property(loads, fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }), (load, sizes) => {
      const bytes = Buffer.concat(encodeReply(load));
      const reader = new ReplyReader();
      for (let at = 0, i = 0; at < bytes.length; i++) {
        expect(reader.finish()).toBeNull();
        const end = at + (sizes[i % sizes.length] ?? 1);
        reader.take(bytes.subarray(at, end));
        at = end;
      }
      const arrived = reader.finish();
      expect(arrived).toEqual(load);
      if (arrived?.ok === true && arrived.policy !== null && load.ok && load.policy !== null)
        expect(Buffer.from(arrived.policy)).toEqual(Buffer.from(load.policy));
    }),
  );
});

it('a reply that goes on after its end is none', () => {
  const reader = new ReplyReader();
  for (const part of encodeReply(loaded([1, 2, 3]))) reader.take(part);
  expect(() => reader.take(Uint8Array.of(0))).toThrow('longer than it says');
});
