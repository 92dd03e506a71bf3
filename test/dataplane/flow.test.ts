import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { buildClientHello, concat } from '../support/client-hello.ts';
import { connectRequest, hello, SOCKS_GREETING, socksRequest } from './openings.ts';
import {
  abandoned,
  compiled,
  connected,
  FlowRig,
  failed,
  live,
  type RigOptions,
  RULES,
  relayEnds,
  resets,
  resolved,
  type Step,
  says,
  waits,
} from './support.ts';

const allow = compiled();
const denyAll = compiled([]);
const explicit = { listener: 'explicit' } as const;

describe('the bytes that go upstream', () => {
  const openings: [string, RigOptions, Uint8Array, Uint8Array][] = [
    ['of a TLS client', {}, hello(), hello()],
    ['of a fragmented hello', {}, buildClientHello({ cuts: [1, 40] }), buildClientHello({ cuts: [1, 40] })],
    ['behind a CONNECT', explicit, concat(connectRequest('allowed.example'), hello()), hello()],
    [
      'behind a SOCKS request',
      explicit,
      concat(SOCKS_GREETING, socksRequest('allowed.example'), hello()),
      hello(),
    ],
  ];

  it.each(openings)('are exactly those %s, in any pieces', (_, options, stream, expected) => {
    for (const step of [1, 3, 17, stream.length]) {
      const pieces = Array.from({ length: Math.ceil(stream.length / step) }, (_, i) =>
        says(stream.subarray(i * step, (i + 1) * step)),
      );
      const rig = live(options, [...pieces, connected]);
      expect(Buffer.from(rig.relaying.head), `pieces of ${step}`).toEqual(Buffer.from(expected));
    }
  });

  it('are those with early data that came along', () => {
    const stream = concat(hello(), Uint8Array.of(23, 3, 3, 0, 1, 7));
    expect(Buffer.from(live({}, [says(stream), connected]).relaying.head)).toEqual(Buffer.from(stream));
  });

  it('do not hold the second hello before it is whole: the relay’s watch gets the rest', () => {
    const second = hello();
    const rig = live({}, [says(concat(hello(), second.subarray(0, 50))), connected]);
    expect(Buffer.from(rig.relaying.head)).toEqual(Buffer.from(hello()));
    expect(Buffer.from(rig.relaying.watch?.fromClient(second.slice(50)) ?? [])).toEqual(Buffer.from(second));
  });
});

describe('the relay’s watch', () => {
  it('cuts a second hello of another name in enforce mode', () => {
    const { watch } = live({}, [says(hello()), connected]).relaying;
    expect(watch?.fromClient(hello('stranger.example'))).toBeNull();
  });

  it('passes it in observe mode', () => {
    const { watch } = live({ mode: 'observe' }, [says(hello()), connected]).relaying;
    expect(watch?.fromClient(hello('stranger.example'))).toEqual(hello('stranger.example'));
  });

  it('is not there for a flow that is not TLS', () => {
    const rig = live({ listener: 'resolve', mode: 'observe' }, [waits(300), connected]);
    expect(rig.relaying.watch).toBeNull();
  });
});

describe('a granted client', () => {
  it('is read on when only a part of its hello came with the request', () => {
    const rig = live(explicit, [
      says(concat(connectRequest('slow.example'), hello('slow.example').subarray(0, 40))),
      resolved,
    ]);
    expect(rig.wire.calls).toEqual(['reply HTTP 200', 'readOn']);
    says(hello('slow.example').subarray(40))(rig);
    expect(rig.wire.calls.at(-1)).toBe('connect 198.51.100.11:443');
  });

  it('may send its hello within the call that reads on', () => {
    const rig = new FlowRig(explicit);
    rig.wire.onReadOn = () => says(hello('slow.example'))(rig);
    rig.flow.start();
    says(connectRequest('slow.example'))(rig);
    resolved(rig);
    connected(rig);
    expect(rig.wire.calls).toEqual([
      'reply HTTP 200',
      'readOn',
      'connect 198.51.100.11:443',
      'relay to 198.51.100.11:443',
    ]);
  });

  it('may leave within the call that reads on', () => {
    const rig = new FlowRig(explicit);
    rig.wire.onReadOn = () => rig.flow.clientEnded();
    rig.flow.start();
    says(connectRequest('slow.example'))(rig);
    resolved(rig);
    expect(rig.end).toBe('refused');
    expect(rig.clock.isIdle).toBe(true);
  });

  it('has the whole hello timeout again', () => {
    const rig = live(explicit, [waits(4_000), says(connectRequest('allowed.example')), waits(4_999)]);
    expect(rig.end).toBe('');
    waits(1)(rig);
    expect(rig.decision).toContain('hello_timeout');
  });
});

describe('one policy snapshot a flow', () => {
  const swap =
    (policy: FlowRig['policy']): Step =>
    rig => {
      rig.policy = policy;
    };

  it.each<[string, RigOptions, Step[], string]>([
    [
      'a swap before the hello counts',
      { policy: allow },
      [swap(denyAll), says(hello())],
      'deny NO_MATCH not_allowed',
    ],
    [
      'a swap while resolving does not',
      { policy: allow },
      [says(hello('slow.example')), swap(denyAll), resolved, connected],
      'allow MATCHED - allowed',
    ],
    [
      'a swap while dialling does not',
      { policy: allow },
      [says(hello()), swap(denyAll), connected],
      'allow MATCHED - allowed',
    ],
    [
      'a swap between CONNECT and hello does not',
      { ...explicit, policy: allow },
      [says(connectRequest('allowed.example')), swap(denyAll), says(hello()), connected],
      'allow MATCHED - allowed',
    ],
    [
      'the name of the rule is that of the old policy',
      { policy: allow },
      [says(hello('slow.example')), swap(compiled([...RULES].reverse())), resolved, connected],
      'allow MATCHED - allowed',
    ],
  ])('%s', (_, options, steps, expected) => {
    expect(live(options, steps).decision).toContain(expected);
  });

  it('judges a source group by its own mode', () => {
    const source = {
      name: 'lab',
      cidrs: RULES.flatMap(() => []),
      mode: 'observe' as const,
      location: { file: 'p', line: 1, col: 1 },
    };
    const policy = compiled(RULES, { mode: 'observe', observeUntilMs: 0, sources: [source] });
    expect(live({ policy }, [says(hello('stranger.example'))]).decision).toContain('deny NO_MATCH');
  });
});

describe('a flow that is ended from outside', () => {
  const stages: [string, RigOptions, Step[], string[], string][] = [
    ['before a word', {}, [], ['reset'], 'deny NO_MATCH drained'],
    ['within a hello', {}, [says(hello().subarray(0, 40))], ['reset'], 'deny NO_MATCH drained'],
    [
      'within a request',
      explicit,
      [says(connectRequest('a').subarray(0, 9))],
      ['reset'],
      'deny NO_MATCH drained',
    ],
    ['while resolving', {}, [says(hello('slow.example'))], ['reset'], 'deny MATCHED drained allowed'],
    [
      'granted',
      explicit,
      [says(connectRequest('allowed.example'))],
      ['reply HTTP 200', 'readOn', 'reset'],
      'deny MATCHED drained allowed',
    ],
    ['while dialling', {}, [says(hello())], ['connect 198.51.100.7:443', 'reset'], 'allow MATCHED - allowed'],
  ];

  it.each(stages)('%s', (_, options, steps, calls, decision) => {
    const rig = live(options, [
      ...steps,
      abandoned('drained'),
      resolved,
      abandoned('drained'),
      waits(60_000),
    ]);
    expect(rig.wire.calls).toEqual(calls);
    expect([rig.end, rig.told]).toEqual(['drained', ['decided', 'closed', 'over']]);
    expect(rig.decision).toContain(decision);
    expect(rig.wire.attempts.map(({ state }) => state)).not.toContain('pending');
    expect(rig.clock.isIdle).toBe(true);
  });

  it('does nothing more when its end has come already', () => {
    const rig = live({}, [says(hello('stranger.example')), abandoned('drained'), resets, waits(60_000)]);
    expect([rig.wire.calls, rig.end]).toEqual([['hangUp alert 49'], 'refused']);
  });
});

describe('a flow that finds a limit reached', () => {
  it.each([
    ['flow_limit', {}],
    ['source_limit', explicit],
  ] as const)('%s is refused before a byte is read', (limit, options) => {
    const rig = new FlowRig(options);
    rig.flow.refuseAtOnce(limit);
    expect(rig.decision).toContain(`deny DENIED ${limit}`);
    expect([rig.told, rig.wire.calls, rig.flow.wantsBytes]).toEqual([
      ['decided', 'closed', 'over'],
      ['hangUp nothing'],
      false,
    ]);
  });
});

describe('wantsBytes', () => {
  it.each<[string, RigOptions, Step[], boolean]>([
    ['at the start', {}, [], true],
    ['within a hello', {}, [says(hello().subarray(0, 40))], true],
    ['while resolving', {}, [says(hello('slow.example'))], false],
    ['while dialling', {}, [says(hello())], false],
    ['while relaying', {}, [says(hello()), connected], false],
    ['after CONNECT, while resolving', explicit, [says(connectRequest('slow.example'))], false],
    ['once granted', explicit, [says(connectRequest('allowed.example'))], true],
    ['once refused', {}, [says(hello('stranger.example'))], false],
    ['once reset', {}, [resets], false],
  ])('%s', (_, options, steps, expected) => {
    expect(live(options, steps).flow.wantsBytes).toBe(expected);
  });
});

describe('the decision record says whether ECH was seen', () => {
  const ech = buildClientHello({ serverName: 'outer.example', ech: true });
  it.each<[string, RigOptions, readonly Step[], boolean]>([
    ['refused for it', {}, [says(buildClientHello({ serverName: 'allowed.example', ech: true }))], true],
    ['judged by the outer name', {}, [says(ech), connected], true],
    ['behind a CONNECT', explicit, [says(connectRequest('outer.example')), says(ech), connected], true],
    ['not there', {}, [says(hello()), connected], false],
    ['never asked', {}, [resets], false],
  ])('%s', (_, options, steps, expected) => {
    expect(live(options, steps).decided).toMatchObject([{ ech: expected }]);
  });
});

describe('the times and bytes in the records', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['Date', 'performance'], now: 1_000_000 }));
  afterEach(() => vi.useRealTimers());

  const pass =
    (ms: number): Step =>
    rig => {
      rig.clock.advance(ms);
      vi.setSystemTime(Date.now() + ms);
      vi.advanceTimersByTime(ms);
    };

  it('tell sniffing, dialling and the whole life apart', () => {
    const rig = new FlowRig({});
    rig.flow.start();
    for (const step of [pass(10), says(hello('slow.example')), pass(30), resolved, pass(100), connected])
      step(rig);
    rig.wire.relayed.out = 7;
    rig.wire.relayed.in = 9;
    for (const step of [pass(1_000), relayEnds('client_fin')]) step(rig);
    expect(rig.decided).toMatchObject([{ sniffMs: 10, timeMs: expect.any(Number) }]);
    expect(rig.closed).toMatchObject([
      { dialMs: 100, durationMs: 1_140, bytesOut: 7, bytesIn: 9, dialFailure: null },
    ]);
  });

  it('do not count the resolver’s time as sniffing, when the name does not resolve', () => {
    const rig = new FlowRig({});
    rig.resolver.held.add('gone.example');
    rig.flow.start();
    for (const step of [pass(10), says(hello('gone.example')), pass(3_000), resolved]) step(rig);
    expect(rig.decided).toMatchObject([{ sniffMs: 10, reason: 'unresolvable' }]);
  });

  it('have no dial time where nothing was dialled, or no dial succeeded', () => {
    for (const steps of [[says(hello('stranger.example'))], [says(hello()), pass(5), failed('refused')]]) {
      expect(live({}, steps).closed).toMatchObject([{ dialMs: null }]);
    }
  });

  it('name the address that won, where the decision named the first', () => {
    const rig = live({}, [says(hello('two.example')), failed('refused'), connected, relayEnds('client_fin')]);
    expect([rig.decided[0]?.dstIp, rig.closed[0]?.dstIp]).toEqual(['198.51.100.7', '198.51.100.8']);
  });

  it('carry the same identity', () => {
    const rig = live({}, [says(hello()), connected, relayEnds('client_fin')]);
    const identity = {
      flow: 'flow-0',
      listener: 'tls',
      srcIp: '192.0.2.10',
      srcPort: 50_000,
      dstPort: 443,
      hostname: 'allowed.example',
    };
    expect([rig.decided, rig.closed]).toMatchObject([[identity], [identity]]);
  });
});
