import { describe, expect, it } from 'vitest';
import { text } from '../support/client-hello.ts';
import { connectRequest, hello, MALFORMED_HELLO, SOCKS_GREETING } from './openings.ts';
import { ends, FlowRig, live, type RigOptions, resets, resolved, type Step, says, waits } from './support.ts';

const explicit = { listener: 'explicit' } as const;

describe('a flow counts as undecided', () => {
  it.each<[string, RigOptions, readonly Step[]]>([
    ['before it has said anything', {}, []],
    ['while its hello is not whole', {}, [says(hello().subarray(0, 40))]],
    ['while its request is not whole', explicit, [says(connectRequest('allowed.example').subarray(0, 20))]],
    ['while only SOCKS was greeted', explicit, [says(SOCKS_GREETING)]],
    [
      'when its CONNECT was granted and the hello has not come',
      explicit,
      [says(connectRequest('allowed.example'))],
    ],
    [
      'when the name of its CONNECT took its time to resolve',
      explicit,
      [says(connectRequest('slow.example')), resolved],
    ],
  ])('%s', (_, options, steps) => {
    expect(live(options, steps).isAwaited).toBe(true);
  });
});

describe('a flow counts as undecided no more', () => {
  it.each<[string, RigOptions, readonly Step[]]>([
    ['when it was judged', {}, [says(hello())]],
    ['when it was refused', {}, [says(hello('stranger.example'))]],
    ['when what it said cannot be read', {}, [says(MALFORMED_HELLO)]],
    ['while its name is looked up', {}, [says(hello('slow.example'))]],
    ['while the name of its CONNECT is looked up', explicit, [says(connectRequest('slow.example'))]],
    ['when the hello inside came', explicit, [says(connectRequest('allowed.example')), says(hello())]],
    ['when its time was up', {}, [waits(5_000)]],
    [
      'when its silence was taken for a protocol without names',
      { listener: 'resolve', mode: 'observe' },
      [waits(300)],
    ],
    ['when it has left', {}, [ends]],
    ['when it was reset', {}, [resets]],
    ['when it is handed over', {}, [says(text('GET / HTTP/1.1\r\n'))]],
    ['when it was going nowhere but to a transparent listener', { listener: 'resolve', going: null }, []],
  ])('%s', (_, options, steps) => {
    expect(live(options, steps).isAwaited).toBe(false);
  });

  it('when it was cut from outside', () => {
    const rig = live({}, []);
    rig.flow.abandon('drained');
    expect(rig.isAwaited).toBe(false);
  });

  it('when another was first to take the place that its CONNECT had left: it is told so', () => {
    const rig = new FlowRig(explicit);
    rig.flow.start();
    rig.flow.clientBytes(connectRequest('slow.example'));
    expect(rig.openings.tryEnter(rig.wire.client.ip)).toBeNull();
    rig.resolver.answer();
    expect(rig.wire.calls).toEqual(['hangUp HTTP 503']);
    expect(rig.decision).toBe('deny DENIED undecided_limit allowed; connect slow.example -:443');
  });
});
