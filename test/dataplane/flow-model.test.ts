import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePostgresOpening } from '../../src/sniff/postgres.ts';
import { buildClientHello, concat } from '../support/client-hello.ts';
import { GSSENC_REQUEST, SSL_REQUEST, STARTUP_MESSAGE } from '../support/postgres-openings.ts';
import {
  connectRequest,
  hello,
  MALFORMED_HELLO,
  SOCKS_GREETING,
  SSH_BANNER,
  socksRequest,
} from './openings.ts';
import { compiled, FlowRig, type ListenerName, RULES } from './support.ts';

const NAMES = [
  'allowed.example',
  'stranger.example',
  'slow.example',
  'two.example',
  'meta.example',
  'private.example',
  'gone.example',
];

const opening = fc
  .constantFrom(...NAMES)
  .chain(name =>
    fc.constantFrom(
      hello(name),
      hello(null),
      buildClientHello({ serverName: name, ech: true }),
      concat(hello(name), hello(name)),
      concat(hello(name), hello('stranger.example')),
      connectRequest(name),
      connectRequest('198.51.100.7'),
      concat(connectRequest(name), hello(name)),
      concat(SOCKS_GREETING, socksRequest(name), hello(name)),
      MALFORMED_HELLO,
      SSH_BANNER,
      SSL_REQUEST,
      GSSENC_REQUEST,
      STARTUP_MESSAGE,
    ),
  );

/** What the client sends, in pieces. A request for encryption is a piece of its own, or nothing would be answered. */
const stream = fc
  .tuple(fc.array(opening, { minLength: 2, maxLength: 3 }), fc.integer({ min: 1, max: 300 }))
  .map(([openings, step]) =>
    openings.flatMap(bytes => (isRequest(bytes) ? [bytes.slice()] : pieces(bytes, step))),
  );

function isRequest(bytes: Uint8Array): boolean {
  return parsePostgresOpening(bytes).kind === 'request';
}

function pieces(bytes: Uint8Array, step: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / step) }, (_, i) =>
    bytes.slice(i * step, (i + 1) * step),
  );
}

const event = fc.oneof(
  { weight: 8, arbitrary: fc.constant({ kind: 'bytes' as const }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(1, 250, 299, 300, 5_000, 10_000).map(ms => ({ kind: 'time' as const, ms })),
  },
  { weight: 3, arbitrary: fc.constant({ kind: 'resolved' as const }) },
  {
    weight: 4,
    arbitrary: fc
      .constantFrom(null, 'refused' as const, 'unreachable' as const)
      .map(failure => ({ kind: 'dial' as const, failure })),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom('S', 'N', 'G', null).map(answer => ({ kind: 'answer' as const, answer })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      { kind: 'fin' as const },
      { kind: 'reset' as const },
      { kind: 'abandon' as const },
    ),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'policy' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'relay-end' as const }) },
);

type Event = typeof event extends fc.Arbitrary<infer E> ? E : never;

const POLICIES = [compiled(), compiled([]), compiled(RULES, { mode: 'observe' })];

/** Lets one event happen, if a wire could report it now. */
function happen(rig: FlowRig, pieces: Uint8Array[], step: Event): void {
  const { flow, wire, clock, resolver } = rig;
  const isServed = wire.relaying === null && wire.handedOver === null;
  switch (step.kind) {
    case 'bytes': {
      const piece = flow.wantsBytes ? pieces.shift() : undefined;
      if (piece === undefined) return;
      flow.clientBytes(piece);
      piece.fill(0xee);
      return;
    }
    case 'time':
      return clock.advance(step.ms);
    case 'resolved':
      return resolver.answer();
    case 'dial':
      return wire.attempts.find(({ state }) => state === 'pending')?.settle(step.failure);
    case 'answer':
      return wire.asking?.(step.answer === null ? null : Buffer.from(step.answer));
    case 'fin':
      return flow.wantsBytes ? flow.clientEnded() : undefined;
    case 'reset':
      return isServed ? flow.clientReset() : undefined;
    case 'abandon':
      return isServed ? flow.abandon('drained') : undefined;
    case 'policy':
      rig.policy = POLICIES[(POLICIES.indexOf(rig.policy) + 1) % POLICIES.length] ?? rig.policy;
      return;
    case 'relay-end':
      return isServed || rig.closed.length > 0 ? undefined : wire.relaying?.done('client_fin');
  }
}

describe('whatever a client, a resolver, an upstream and the operator do, in whatever order', () => {
  it.each<[ListenerName, 'enforce' | 'observe']>([
    ['explicit', 'enforce'],
    ['explicit', 'observe'],
    ['sni', 'enforce'],
    ['sni', 'observe'],
    ['resolve', 'enforce'],
    ['resolve', 'observe'],
    ['verify', 'enforce'],
    ['original', 'enforce'],
  ])('a flow of %s in %s keeps its promises', (listener, mode) => {
    fc.assert(
      fc.property(stream, fc.array(event, { maxLength: 40 }), (pieces, events) => {
        const rig = new FlowRig({ listener, mode });
        let asksFirst = false;
        rig.flow.start();
        for (const step of events) {
          const hadDialled = rig.wire.attempts.length > 0;
          happen(rig, pieces, step);
          // Two records, in this order, each once; no dial before the verdict, and none after a deny. Only where we
          // observe, a server may be asked whether it speaks TLS before there is a name to judge.
          expect(['', 'decided', 'decided,closed,over']).toContain(rig.told.join());
          expect(rig.wire.faults).toEqual([]);
          expect(rig.isAwaited || !rig.flow.wantsBytes).toBe(true);
          expect(rig.isAwaited && rig.decided.length > 0).toBe(false);
          if (rig.wire.attempts.length === 0) continue;
          const isUndecided = rig.decided.length === 0;
          if (isUndecided && !hadDialled) expect(rig.policy.modeOf(rig.wire.client.ip, 0)).toBe('observe');
          asksFirst ||= isUndecided;
          if (!asksFirst) expect(rig.decided[0]?.action).not.toBe('deny');
        }
        if (rig.wire.handedOver !== null) {
          rig.flow.abandon('drained');
          rig.clock.advance(60_000);
          expect([rig.told, rig.wire.attempts, rig.wire.faults, rig.clock.isIdle]).toEqual([
            [],
            [],
            [],
            true,
          ]);
          return;
        }
        if (rig.closed.length === 0) {
          if (rig.wire.relaying === null) rig.flow.abandon('drained');
          else rig.wire.relaying.done('drained');
        }
        rig.resolver.answer();
        rig.clock.advance(60_000);
        expect(rig.told).toEqual(['decided', 'closed', 'over']);
        expect(rig.wire.faults).toEqual([]);
        expect(rig.clock.isIdle).toBe(true);
        // Nothing is left behind: every attempt was aborted, failed, or is the relay's.
        const kept = rig.wire.attempts.filter(({ state }) => state === 'pending' || state === 'connected');
        expect(kept).toHaveLength(rig.wire.relaying === null ? 0 : 1);
        expect(rig.wire.isOver).toBe(true);
      }),
      { numRuns: 400 },
    );
  });
});
