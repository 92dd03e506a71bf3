import { describe, expect, it } from 'vitest';
import { chooseDestination, type DestinationRules } from '../../src/dataplane/destination.ts';
import type { DestinationMode } from '../../src/dataplane/listener.ts';
import type { GuardVerdict, ResolvedAddress } from '../../src/resolve/resolver.ts';
import { ip } from '../resolve/support.ts';

const OK = '198.51.100.1';
const OTHER = '198.51.100.2';
const PRIVATE = '10.0.0.1';
const FORBIDDEN = '169.254.169.254';
const OWN = '198.51.100.99';

const candidates = (texts: readonly string[]): ResolvedAddress[] =>
  texts.map(text => {
    const guard: GuardVerdict = text === PRIVATE ? 'private' : text === FORBIDDEN ? 'forbidden' : 'ok';
    return { ip: ip(text), guard };
  });

function choose(texts: readonly string[], rules: Partial<DestinationRules> = {}): string {
  const choice = chooseDestination(candidates(texts), {
    allowPrivate: false,
    observing: false,
    isOwn: address => address.equals(ip(OWN)),
    original: null,
    ...rules,
  });
  if (!choice.ok) return choice.reason;
  return `${choice.addresses.join(' ')}${choice.onlyObserved ? ' (only observed)' : ''}`;
}

describe('which of a name’s addresses may be dialled', () => {
  it.each<[string, string[], Partial<DestinationRules>, string]>([
    ['a public one', [OK], {}, OK],
    ['all public ones, in their order', [OTHER, OK], {}, `${OTHER} ${OK}`],
    ['the public one among guarded ones', [FORBIDDEN, PRIVATE, OWN, OK], {}, OK],
    ['not a private one', [PRIVATE], {}, 'destination_forbidden'],
    ['a private one where the rule allows it', [PRIVATE], { allowPrivate: true }, PRIVATE],
    ['both where the rule allows it', [PRIVATE, OK], { allowPrivate: true }, `${PRIVATE} ${OK}`],
    ['a private one where we only observe', [PRIVATE], { observing: true }, `${PRIVATE} (only observed)`],
    ['not the private one where there is a public one', [PRIVATE, OK], { observing: true }, OK],
    ['never a forbidden one', [FORBIDDEN], { allowPrivate: true, observing: true }, 'destination_forbidden'],
    ['never our own listener', [OWN], { allowPrivate: true, observing: true }, 'destination_forbidden'],
    ['nothing of nothing', [], { observing: true }, 'destination_forbidden'],
  ])('%s', (_, addresses, rules, expected) => {
    expect(choose(addresses, rules)).toBe(expected);
  });
});

describe('the address that a transparent flow was going to', () => {
  it.each<[string, string[], string, DestinationMode, string]>([
    ['goes first when it is among them', [OK, OTHER], OTHER, 'resolve', `${OTHER} ${OK}`],
    ['stays first', [OK, OTHER], OK, 'verify', `${OK} ${OTHER}`],
    ['is left alone when it is not among them', [OK], OTHER, 'resolve', OK],
    ['must be among them to verify', [OK], OTHER, 'verify', 'destination_mismatch'],
    [
      'counts as missing when the guard took it out',
      [OK, PRIVATE],
      PRIVATE,
      'verify',
      'destination_mismatch',
    ],
    ['does not save a guarded name', [FORBIDDEN], FORBIDDEN, 'verify', 'destination_forbidden'],
  ])('%s', (_, addresses, going, mode, expected) => {
    expect(choose(addresses, { original: { ip: ip(going), mode } })).toBe(expected);
  });
});

describe('the family of the address that a transparent flow was going to', () => {
  const [FIRST_6, SECOND_6] = ['2001:db8::1', '2001:db8::2'];

  it.each<[string, string[], string, string]>([
    ['goes first', [FIRST_6, OK, SECOND_6, OTHER], '198.51.100.50', `${OK} ${FIRST_6} ${OTHER} ${SECOND_6}`],
    ['goes first in IPv6 too', [OK, FIRST_6], '2001:db8::50', `${FIRST_6} ${OK}`],
    [
      'goes on after the address itself',
      [FIRST_6, OK, SECOND_6, OTHER],
      OTHER,
      `${OTHER} ${FIRST_6} ${OK} ${SECOND_6}`,
    ],
    ['need not be there', [FIRST_6, SECOND_6], OK, `${FIRST_6} ${SECOND_6}`],
    ['may be the only one', [OTHER, OK], '198.51.100.50', `${OTHER} ${OK}`],
  ])('%s', (_, addresses, going, expected) => {
    expect(choose(addresses, { original: { ip: ip(going), mode: 'resolve' } })).toBe(expected);
  });
});
