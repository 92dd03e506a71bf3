import { describe, expect, it } from 'vitest';
import { text } from '../support/client-hello.ts';
import { DIALLED, relayed } from './lives.ts';
import { connected, FlowRig, live, type RigOptions, relayEnds, story } from './support.ts';

const GET = text('GET / HTTP/1.1\r\nHost: allowed.example\r\n\r\n');

describe('plain HTTP', () => {
  it.each<[string, RigOptions]>([
    ['at an sni listener', {}],
    ['at an explicit listener', { listener: 'explicit' }],
    ['at a transparent listener', { listener: 'resolve', goingPort: 80 }],
    ['where upstreams are to see the client’s address', { listener: 'keep' }],
    ['in observe mode', { listener: 'resolve', mode: 'observe' }],
  ])('%s is handed over with all its bytes, and without records', (_, options) => {
    const rig = live(options, []);
    const borrowed = Uint8Array.from(GET);
    rig.flow.clientBytes(borrowed.subarray(0, 7));
    if (options.listener === 'explicit') rig.flow.clientBytes(borrowed.subarray(7));
    borrowed.fill(0);
    const opening = options.listener === 'explicit' ? GET : GET.subarray(0, 7);
    expect(rig.wire.calls).toEqual([`handOver ${opening.length}`]);
    expect(Buffer.from(rig.wire.handedOver?.opening ?? [])).toEqual(Buffer.from(opening));
    expect(rig.flow.wantsBytes).toBe(false);
    expect(rig.clock.isIdle).toBe(true);
    rig.flow.abandon('drained');
    expect(rig.told).toEqual([]);
    rig.wire.handedOver?.done();
    expect(rig.told).toEqual(['over']);
  });
});

describe('what is given back', () => {
  const giveBack = (options: RigOptions) => {
    const rig = new FlowRig({ listener: 'resolve', ...options });
    rig.flow.takeBack(GET, { reason: 'malformed_request', detail: 'host-duplicate' });
    return rig;
  };

  it('is forwarded unread in observe mode, and recorded with its reason', () => {
    const rig = giveBack({ mode: 'observe' });
    connected(rig);
    expect(Buffer.from(rig.relaying.head)).toEqual(Buffer.from(GET));
    relayEnds('server_fin')(rig);
    expect(story(rig)).toEqual({
      calls: relayed,
      decision: `would-deny NO_MATCH malformed_request -; http - ${DIALLED}`,
      end: 'server_fin',
      faults: [],
    });
    expect(rig.decided).toMatchObject([{ detail: 'host-duplicate' }]);
    expect(rig.told).toEqual(['decided', 'closed', 'over']);
  });

  it('is refused when the policy has begun to enforce meanwhile', () => {
    const rig = giveBack({ mode: 'enforce' });
    expect(rig.wire.calls).toEqual(['hangUp nothing']);
    expect(rig.decision).toBe(`deny NO_MATCH malformed_request -; http - ${DIALLED}`);
    expect(rig.end).toBe('refused');
  });
});
