import { describe, expect, it } from 'vitest';
import { type Pipe, PipePool } from '../../../src/dataplane/epoll/pipe-pool.ts';
import { Relay } from '../../../src/dataplane/epoll/relay.ts';
import type { FlowEnd } from '../../../src/dataplane/events.ts';
import type { RelayWatch } from '../../../src/dataplane/tls-watch.ts';
import { type FarEnd, isLinux, Lab, pattern } from './support.ts';

/** A pool that counts what is lent. */
class CountingPool extends PipePool {
  taken = 0;
  out = 0;

  override take(): Pipe | null {
    const pipe = super.take();
    if (pipe !== null) {
      this.taken++;
      this.out++;
    }
    return pipe;
  }

  override give(pipe: Pipe): void {
    this.out--;
    super.give(pipe);
  }
}

interface RigOptions {
  readonly head?: Uint8Array;
  readonly watch?: RelayWatch | null;
  readonly idleTimeoutMs?: number;
  readonly halfClosedTimeoutMs?: number;
}

class RelayRig {
  readonly lab: Lab;
  readonly client: FarEnd;
  readonly server: FarEnd;
  readonly pipes: CountingPool;
  readonly relay: Relay;
  readonly ends: FlowEnd[] = [];
  readonly moved = { out: 0, in: 0 };

  constructor(options: RigOptions = {}, lab = new Lab(), pipes = new CountingPool(lab.ffi.libc)) {
    this.lab = lab;
    const [client, upstream] = [lab.connect(), lab.connect()];
    this.client = client.far;
    this.server = upstream.far;
    lab.settle();
    this.pipes = pipes;
    const { head = new Uint8Array(0), watch = null, ...timeouts } = options;
    const context = {
      loop: lab.loop,
      pipes: this.pipes,
      idleTimeoutMs: 3_600_000,
      halfClosedTimeoutMs: 60_000,
      moved: (out: number, back: number) => {
        this.moved.out += out;
        this.moved.in += back;
      },
      handOver: () => {},
      ...timeouts,
    };
    this.relay = new Relay(context, client.near, upstream.near, watch, end => this.ends.push(end));
    this.relay.start(head);
  }

  /** Sends all of `bytes` from one end and reads it at the other, turning the loop in between. */
  transfer(from: FarEnd, to: FarEnd, bytes: Uint8Array): Buffer {
    const received: Buffer[] = [];
    let [sent, got] = [0, 0];
    this.lab.turnUntil(() => {
      if (sent < bytes.length) sent += from.send(bytes.subarray(sent, sent + 262_144));
      const chunk = to.receive();
      if (Buffer.isBuffer(chunk)) {
        received.push(chunk);
        got += chunk.length;
      }
      return got >= bytes.length;
    });
    return Buffer.concat(received);
  }

  /** Sends until the kernel and the relay take no more; returns what they took. */
  fill(from: FarEnd): Buffer {
    const chunk = pattern(65_536);
    const sent: Buffer[] = [];
    for (let stuck = 0; stuck < 50; ) {
      const count = from.send(chunk);
      if (count > 0) sent.push(chunk.subarray(0, count));
      stuck = count > 0 ? 0 : stuck + 1;
      this.lab.turn();
    }
    return Buffer.concat(sent);
  }

  /** Reads until the end, a reset, or `length` bytes. */
  readAll(from: FarEnd): { bytes: Buffer; last: 'end' | 'reset' } {
    const chunks: Buffer[] = [];
    let last: 'end' | 'reset' | null = null;
    this.lab.turnUntil(() => {
      const chunk = from.receive();
      if (Buffer.isBuffer(chunk)) chunks.push(chunk);
      else last = chunk;
      return last !== null;
    });
    return { bytes: Buffer.concat(chunks), last: last ?? 'end' };
  }
}

describe.skipIf(!isLinux)('Relay (Linux only)', () => {
  it('sends the head first, then what the client says, both ways', () => {
    const rig = new RelayRig({ head: Buffer.from('head ') });
    rig.client.send(Buffer.from('more'));
    rig.server.send(Buffer.from('answer'));
    rig.lab.settle();
    expect(String(rig.server.receive())).toBe('head more');
    expect(String(rig.client.receive())).toBe('answer');
    expect(rig.moved).toEqual({ out: 9, in: 6 });
  });

  it.each([
    ['a little', 1_000, 0],
    ['a megabyte', 1 << 20, 1],
    ['20 MiB', 20 << 20, 1],
  ])('moves %s whole and counts it', (_, length, leastPipes) => {
    const rig = new RelayRig();
    const bytes = pattern(length);
    expect(Buffer.compare(rig.transfer(rig.server, rig.client, bytes), bytes)).toBe(0);
    expect(Buffer.compare(rig.transfer(rig.client, rig.server, bytes), bytes)).toBe(0);
    expect(rig.moved).toEqual({ out: length, in: length });
    expect(rig.pipes.taken).toBeGreaterThanOrEqual(leastPipes);
    expect(rig.pipes.out).toBe(0);
  });

  it('copies small flows, without a pipe', () => {
    const rig = new RelayRig();
    for (let i = 0; i < 50; i++) rig.transfer(rig.client, rig.server, pattern(4_000));
    expect(rig.pipes.taken).toBe(0);
  });

  it('goes on copying where there is no pipe to be had', () => {
    const rig = new RelayRig();
    rig.pipes.take = () => null;
    const bytes = pattern(4 << 20);
    expect(Buffer.compare(rig.transfer(rig.server, rig.client, bytes), bytes)).toBe(0);
    expect(rig.moved.in).toBe(bytes.length);
  });

  it('gives its pipe back for the next flow', () => {
    const first = new RelayRig();
    first.transfer(first.server, first.client, pattern(1 << 20));
    const second = new RelayRig({}, first.lab, first.pipes);
    const pipe = first.pipes.take();
    if (pipe === null) throw new Error('no pipe');
    first.pipes.give(pipe);
    second.transfer(second.server, second.client, pattern(1 << 20));
    expect(first.pipes.take()?.readEnd).toBe(pipe.readEnd);
  });

  it('reads no further than a slow reader takes, and loses nothing', () => {
    const rig = new RelayRig();
    const sent = rig.fill(rig.server);
    expect(sent.length).toBeLessThan(64 << 20);
    rig.server.finish();
    const { bytes, last } = rig.readAll(rig.client);
    expect([bytes.length, last]).toEqual([sent.length, 'end']);
    expect(Buffer.compare(bytes, sent)).toBe(0);
  });

  it('keeps what a full reader has not taken apart from what else is read meanwhile', () => {
    const rig = new RelayRig();
    rig.pipes.take = () => null;
    const sent = rig.fill(rig.server);
    rig.transfer(rig.client, rig.server, Buffer.alloc(200_000, 0xee));
    rig.server.finish();
    expect(Buffer.compare(rig.readAll(rig.client).bytes, sent)).toBe(0);
  });

  it('keeps one direction moving while the other is stuck', () => {
    const rig = new RelayRig();
    rig.fill(rig.server);
    expect(String(rig.transfer(rig.client, rig.server, Buffer.from('still there')))).toBe('still there');
  });
});

describe.skipIf(!isLinux)('how a relay ends (Linux only)', () => {
  it.each<['client' | 'server', FlowEnd]>([
    ['client', 'client_fin'],
    ['server', 'server_fin'],
  ])('passes the FIN of the %s on, keeps the other direction, and is named by the first', (first, end) => {
    const rig = new RelayRig();
    const [one, other] = first === 'client' ? [rig.client, rig.server] : [rig.server, rig.client];
    one.send(Buffer.from('last words'));
    one.finish();
    rig.lab.settle();
    expect([String(other.receive()), other.receive()]).toEqual(['last words', 'end']);
    expect(rig.ends).toEqual([]);
    expect(String(rig.transfer(other, one, Buffer.from('a late answer')))).toBe('a late answer');
    other.finish();
    rig.lab.settle();
    expect(one.receive()).toBe('end');
    expect(rig.ends).toEqual([end]);
  });

  it.each<['client' | 'server', FlowEnd]>([
    ['client', 'client_reset'],
    ['server', 'server_reset'],
  ])('passes the reset of the %s on as a reset', (first, end) => {
    const rig = new RelayRig();
    const [one, other] = first === 'client' ? [rig.client, rig.server] : [rig.server, rig.client];
    one.reset();
    rig.lab.settle();
    expect(other.receive()).toBe('reset');
    expect(rig.ends).toEqual([end]);
  });

  it('hears a client’s reset while the upstream is full', () => {
    const rig = new RelayRig();
    rig.fill(rig.client);
    rig.client.reset();
    rig.lab.settle();
    expect(rig.ends).toEqual(['client_reset']);
    expect(rig.pipes.out).toBe(0);
  });

  it('ends as told, both sides with a reset, once', () => {
    const rig = new RelayRig();
    rig.relay.end('drained');
    rig.relay.end('idle_timeout');
    rig.lab.settle();
    expect([rig.client.receive(), rig.server.receive(), rig.ends]).toEqual(['reset', 'reset', ['drained']]);
  });

  it('leaves no timer behind', () => {
    const rig = new RelayRig();
    rig.relay.end('drained');
    expect(rig.lab.loop.timers.untilNextMs()).toBe(-1);
  });

  it('takes no second look at sockets that it has closed', () => {
    const rig = new RelayRig();
    rig.client.send(pattern(100));
    rig.server.send(pattern(100));
    rig.relay.end('drained');
    rig.lab.settle();
    expect([rig.ends, rig.moved]).toEqual([['drained'], { out: 0, in: 0 }]);
  });

  it('ends an idle flow after its timeout', () => {
    const rig = new RelayRig({ idleTimeoutMs: 1 });
    rig.lab.turnUntil(() => rig.ends.length > 0);
    expect(rig.ends).toEqual(['idle_timeout']);
  });

  it('ends a half-closed flow that stays silent after its own timeout', () => {
    const rig = new RelayRig({ halfClosedTimeoutMs: 1 });
    rig.client.finish();
    rig.lab.turnUntil(() => rig.ends.length > 0);
    expect(rig.ends).toEqual(['idle_timeout']);
  });
});

describe.skipIf(!isLinux)('a watched relay (Linux only)', () => {
  /** Holds the client’s bytes back until `released`, cuts on `!`, is over on the server’s `.`. */
  class TestWatch implements RelayWatch {
    over = false;
    #held: Buffer = Buffer.alloc(0);

    fromClient(chunk: Uint8Array): Uint8Array | null {
      const text = Buffer.from(chunk);
      if (text.includes('!')) return null;
      this.#held = Buffer.concat([this.#held, text]);
      if (!text.includes(';')) return Buffer.alloc(0);
      const released = this.#held;
      this.#held = Buffer.alloc(0);
      return released;
    }

    fromServer(chunk: Uint8Array): Uint8Array {
      if (Buffer.from(chunk).includes('.')) this.over = true;
      return chunk;
    }
  }

  it('sends nothing upstream that is held back, then all of it', () => {
    const rig = new RelayRig({ watch: new TestWatch() });
    rig.client.send(Buffer.from('held'));
    rig.lab.settle();
    expect(rig.server.receive()).toBeNull();
    rig.client.send(Buffer.from(' and let go;'));
    rig.lab.settle();
    expect(String(rig.server.receive())).toBe('held and let go;');
    expect(rig.moved.out).toBe(16);
  });

  it('is cut with a reset on both sides, and nothing of the offence goes upstream', () => {
    const rig = new RelayRig({ watch: new TestWatch() });
    rig.client.send(Buffer.from('evil!'));
    rig.lab.settle();
    expect([rig.server.receive(), rig.client.receive(), rig.ends]).toEqual([
      'reset',
      'reset',
      ['name_mismatch'],
    ]);
    expect(rig.moved.out).toBe(0);
  });

  it('looks no more once the watch is over, and then splices', () => {
    const rig = new RelayRig({ watch: new TestWatch() });
    const before = pattern(1 << 20).map(byte => (byte === 0x2e ? 0 : byte));
    rig.transfer(rig.server, rig.client, before);
    expect(rig.pipes.taken).toBe(0);
    rig.transfer(rig.server, rig.client, Buffer.from('.'));
    rig.transfer(rig.server, rig.client, pattern(1 << 20));
    expect(rig.pipes.taken).toBeGreaterThan(0);
    expect(String(rig.transfer(rig.client, rig.server, Buffer.from('evil!')))).toBe('evil!');
  });
});
