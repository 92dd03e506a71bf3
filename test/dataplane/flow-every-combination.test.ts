import { describe, expect, it } from 'vitest';
import { buildClientHello, concat } from '../support/client-hello.ts';
import {
  connectRequest,
  hello,
  MALFORMED_HELLO,
  SOCKS_GREETING,
  SSH_BANNER,
  socksRequest,
} from './openings.ts';
import {
  connected,
  FlowRig,
  failed,
  LISTENERS,
  type ListenerName,
  ORIGINAL,
  relayEnds,
  resolved,
  says,
  waits,
  ZONE,
} from './support.ts';

type Way = Exclude<ListenerName, 'explicit'> | 'connect' | 'socks';

const WAYS: readonly Way[] = ['sni', 'resolve', 'verify', 'original', 'connect', 'socks'];
const MODES = ['enforce', 'observe'] as const;
const DIALS = ['connects', 'refuses'] as const;
/** Every name, so every kind of ruling and resolution. */
const NAMES = [...Object.keys(ZONE), 'gone.example'] as (keyof typeof ZONE | 'gone.example')[];
const HELLOS = ['plain', 'nameless', 'other name', 'ech', 'malformed', 'not TLS', 'silent'] as const;

interface Combination {
  readonly way: Way;
  readonly mode: (typeof MODES)[number];
  readonly name: (typeof NAMES)[number];
  readonly hello: (typeof HELLOS)[number];
  readonly dial: (typeof DIALS)[number];
}

const combinations: Combination[] = WAYS.flatMap(way =>
  MODES.flatMap(mode =>
    NAMES.flatMap(name =>
      HELLOS.flatMap(said => DIALS.map(dial => ({ way, mode, name, hello: said, dial }))),
    ),
  ),
);

function helloOf({ name, hello: said }: Combination): Uint8Array | null {
  switch (said) {
    case 'plain':
      return hello(name);
    case 'nameless':
      return hello(null);
    case 'other name':
      return hello('other.example');
    case 'ech':
      return buildClientHello({ serverName: name, ech: true });
    case 'malformed':
      return MALFORMED_HELLO;
    case 'not TLS':
      return SSH_BANNER;
    case 'silent':
      return null;
  }
}

function play(combination: Combination): FlowRig {
  const { way, mode, name, dial } = combination;
  const rig = new FlowRig({ listener: way === 'connect' || way === 'socks' ? 'explicit' : way, mode });
  rig.flow.start();
  if (way === 'connect') says(connectRequest(name))(rig);
  if (way === 'socks') says(concat(SOCKS_GREETING, socksRequest(name)))(rig);
  resolved(rig);
  const bytes = helloOf(combination);
  if (rig.flow.wantsBytes && bytes !== null) says(bytes)(rig);
  if (bytes === null) waits(5_000)(rig);
  resolved(rig);
  if (rig.wire.attempts.length > 0) {
    if (dial === 'connects') connected(rig);
    else failed('refused')(rig);
    if (rig.wire.relaying === null && dial === 'refuses' && rig.closed.length === 0) failed('refused')(rig);
  }
  if (rig.wire.relaying !== null) relayEnds('client_fin')(rig);
  return rig;
}

const ALLOWED: readonly string[] = [
  'allowed',
  'other',
  'two',
  'private',
  'inside',
  'meta',
  'own',
  'mixed',
  'outer',
  'slow',
  'gone',
];
const UNDIALABLE: readonly string[] = ['private.example', 'meta.example', 'own.example', 'gone.example'];
const isAllowed = (name: string) => ALLOWED.includes(name.replace('.example', ''));

/** The plain reading of the rules for enforce mode: which address may be dialled, or null. */
function mayReach({ way, name, hello: said }: Combination): readonly string[] | null {
  const sniffed = said === 'other name' ? 'other.example' : name;
  if (said !== 'plain' && said !== 'other name' && !(said === 'ech' && name === 'outer.example')) return null;
  const isRequest = way === 'connect' || way === 'socks';
  if (isRequest && sniffed !== name) return null;
  if (!isAllowed(sniffed)) return null;
  if (way === 'original') return [ORIGINAL];
  if (UNDIALABLE.includes(sniffed)) return null;
  const zone: Readonly<Record<string, readonly string[]>> = ZONE;
  const addresses = (zone[sniffed] ?? []).filter(
    text => text.startsWith('198.') || sniffed === 'inside.example',
  );
  return way === 'verify' && !addresses.includes(ORIGINAL) ? null : addresses;
}

describe(`every listener, mode, name, hello and dial outcome: ${combinations.length} lives`, () => {
  it.each(MODES.flatMap(mode => WAYS.map(way => [mode, way] as const)))('%s, %s', (mode, way) => {
    for (const combination of combinations.filter(c => c.mode === mode && c.way === way)) {
      const rig = play(combination);
      const label = `${JSON.stringify(combination)}: ${rig.wire.calls.join(', ')}`;
      expect(rig.told, label).toEqual(['decided', 'closed', 'over']);
      expect(rig.wire.faults, label).toEqual([]);
      expect(rig.clock.isIdle, label).toBe(true);
      expect(
        rig.wire.attempts.map(({ state }) => state),
        label,
      ).not.toContain('pending');

      const [decision] = rig.decided;
      const dialled = rig.wire.attempts.map(({ address }) => address.replace(/:443$/, ''));
      const expected = mayReach(combination);
      if (mode === 'enforce') {
        expect(dialled.length > 0, label).toBe(expected !== null);
        for (const address of dialled) expect(expected, label).toContain(address);
        for (const asked of rig.resolver.asked) expect(isAllowed(asked), label).toBe(true);
        expect(decision?.action, label).toBe(expected === null ? 'deny' : 'allow');
      } else {
        // What enforce would let pass is plainly allowed, and nothing else is, unless it goes to the client's own address.
        if (expected !== null) expect(decision?.action, label).toBe('allow');
        for (const address of dialled)
          expect(['169.254.169.254', '203.0.113.1'], label).not.toContain(address);
        if (LISTENERS[way === 'connect' || way === 'socks' ? 'explicit' : way].kind === 'transparent') {
          expect(dialled, label).toEqual([ORIGINAL]);
        }
      }
      expect(decision?.reason === null, label).toBe(decision?.action === 'allow');
      expect(rig.closed[0]?.end === 'refused', label).toBe(decision?.action === 'deny');
    }
  });
});
