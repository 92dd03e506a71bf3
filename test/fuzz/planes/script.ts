import fc from 'fast-check';
import { parseClientHello } from '../../../src/tls-sni/index.ts';
import { buildClientHello, concat, text } from '../../support/client-hello.ts';
import { buildHelloRetryRequest, buildServerHello } from '../../support/server-hello.ts';
import { helloStreams } from '../inputs/hellos.ts';
import { toHex } from '../inputs/hex.ts';

/** What the two ends of a flow do, one after the other. Bytes are in hex. */
export interface Script {
  readonly route: 'sni' | 'connect' | 'socks5';
  /** What the client says first, in segments. */
  readonly opening: readonly string[];
  /** Whether it half-closes behind its opening. */
  readonly finishes: boolean;
  /** Done in turn once the flow is forwarded, each step after the other end has seen the one before. */
  readonly steps: readonly Step[];
}

export interface Step {
  readonly end: 'client' | 'server';
  readonly act: { readonly send: string } | 'finish' | 'reset';
}

const allowed = buildClientHello();
const opening = fc.oneof(
  { weight: 5, arbitrary: fc.constant(allowed) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      buildClientHello({ serverName: 'denied.example' }),
      buildClientHello({ serverName: null }),
      buildClientHello({ ech: true }),
      buildClientHello({ cuts: [1, 30, 60] }),
      concat(allowed, allowed),
      concat(allowed, buildClientHello({ serverName: 'denied.example' })),
      text('SSH-2.0-client\r\n'),
      new Uint8Array(0),
    ),
  },
  { weight: 3, arbitrary: helloStreams() },
);

const payload = fc.oneof(
  { weight: 3, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 200 }) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 200_000 }).map(length => new Uint8Array(length).fill(7)),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      buildServerHello(),
      buildHelloRetryRequest(),
      allowed,
      buildClientHello({ serverName: 'denied.example' }),
      Uint8Array.of(20, 3, 3, 0, 1, 1),
    ),
  },
);

const step: fc.Arbitrary<Step> = fc.record({
  end: fc.constantFrom('client', 'server'),
  act: fc.oneof(
    { weight: 6, arbitrary: payload.map(bytes => ({ send: toHex(bytes) })) },
    { weight: 2, arbitrary: fc.constant('finish' as const) },
    { weight: 1, arbitrary: fc.constant('reset' as const) },
  ),
});

export const scripts: fc.Arbitrary<Script> = fc
  .record({
    route: fc.constantFrom('sni' as const, 'sni' as const, 'connect' as const, 'socks5' as const),
    opening,
    cuts: fc.array(fc.nat(400), { maxLength: 4 }),
    finishes: fc.boolean(),
    steps: fc.array(step, { maxLength: 6 }),
  })
  .map(({ route, opening: bytes, cuts, finishes, steps }) => {
    // What follows a whole hello is judged with it only where it comes in the same segment, and what is no TLS is
    // named by what is there of it: not left to chance.
    const hello = parseClientHello(bytes);
    const isWhole = hello.kind === 'not-tls' || (hello.kind === 'done' && hello.consumed < bytes.length);
    const inside = isWhole ? [] : cuts.filter(cut => cut > 0 && cut < bytes.length);
    const bounds = [0, ...[...new Set(inside)].sort((a, b) => a - b), bytes.length];
    const segments = bounds.slice(1).map((end, i) => toHex(bytes.slice(bounds[i], end)));
    return { route, opening: segments, finishes, steps };
  });
