import { describe, expect, it } from 'vitest';
import type { SiteCount } from '../../src/observe/flow-tally.ts';
import { Hints } from '../../src/observe/hints.ts';
import { PresetHints } from '../../src/policy/preset-hint.ts';

const KNOWN = new PresetHints(
  [
    {
      name: 'hub',
      title: 'Hub',
      checked: '2026-11-21',
      sources: ['wiki'],
      note: '',
      hosts: ['*.hub.example'],
      ports: [443],
      allowPrivate: false,
    },
  ],
  { own: [], inUse: [], vars: new Map() },
);

function hintsOf(limits = {}) {
  const said: string[] = [];
  const hints = new Hints({
    log: { info: (message, { event }) => said.push(`${event}: ${message}`) },
    ...limits,
  });
  return { hints, said };
}

function site(host: string, states: Partial<SiteCount['states']> = { NO_MATCH: 1 }): SiteCount {
  return {
    source: '10.0.0.1',
    host,
    port: 443,
    firstSeenMs: 0,
    lastSeenMs: 0,
    states: { MATCHED: 0, NO_MATCH: 0, DENIED: 0, ...states },
    actions: { allow: 0, deny: 0, 'would-deny': 0 },
    reasons: {},
    ech: 0,
    switched: 0,
    protocols: 0,
    lastRule: null,
    bytesOut: 0,
    bytesIn: 0,
  };
}

describe('hints', () => {
  it('tell of a host that no rule allows, once', () => {
    const { hints, said } = hintsOf();
    hints.use(KNOWN);
    hints.add([site('a.hub.example'), site('example.com')], 0);
    hints.add([site('a.hub.example')], 100_000);
    expect(said).toEqual(['hint: a.hub.example belongs to preset hub, which no rule uses']);
  });

  it('do not tell of what a rule allows or denies', () => {
    const { hints, said } = hintsOf();
    hints.use(KNOWN);
    hints.add([site('a.hub.example', { MATCHED: 1 }), site('b.hub.example', { DENIED: 1 })], 0);
    expect(said).toEqual([]);
  });

  it('tell of nothing before they know anything, and of it then', () => {
    const { hints, said } = hintsOf();
    hints.add([site('a.hub.example')], 0);
    expect([hints.known, said]).toEqual([null, []]);
    hints.use(KNOWN);
    hints.add([site('a.hub.example')], 1);
    expect(said).toHaveLength(1);
  });

  it('tell so many in a window, and of the others when they are seen again', () => {
    const { hints, said } = hintsOf({ maxInWindow: 2, windowMs: 1_000 });
    hints.use(KNOWN);
    const flood = Array.from({ length: 5 }, (_, i) => site(`h${i}.hub.example`));
    hints.add(flood, 0);
    hints.add(flood, 999);
    expect(said).toHaveLength(2);
    hints.add(flood, 1_000);
    expect(said).toHaveLength(4);
    hints.add(flood, 500);
    expect(said).toHaveLength(5);
  });

  it('remember so many hosts', () => {
    const { hints, said } = hintsOf({ maxHosts: 1 });
    hints.use(KNOWN);
    hints.add([site('a.hub.example'), site('b.hub.example'), site('a.hub.example')], 0);
    expect(said).toHaveLength(3);
  });
});
