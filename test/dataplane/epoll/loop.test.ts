import { describe, expect, it } from 'vitest';
import { END_OF_STREAM, FAILED, WOULD_BLOCK } from '../../../src/dataplane/epoll/socket.ts';
import { isLinux, Lab, pattern } from './support.ts';

describe.skipIf(!isLinux)('EventLoop and Socket (Linux only)', () => {
  it('tells the owner when bytes have come, once', () => {
    const lab = new Lab();
    const { near, far } = lab.connect();
    lab.settle();
    let calls = 0;
    near.owner = { socketReady: () => calls++ };
    far.send(Buffer.from('hello'));
    lab.settle();
    expect([calls, near.readable, near.read()]).toEqual([1, true, 5]);
    expect(lab.loop.scratch.bytes.subarray(0, 5).toString()).toBe('hello');
    expect([near.readable, near.read()]).toEqual([false, WOULD_BLOCK]);
  });

  it('reads on to the end after a FIN, though a short read came before it', () => {
    const lab = new Lab();
    const { near, far } = lab.connect();
    far.send(Buffer.from('bye'));
    far.finish();
    lab.settle();
    expect([near.read(), near.readable, near.read()]).toEqual([3, true, END_OF_STREAM]);
  });

  it('tells of a reset', () => {
    const lab = new Lab();
    const { near, far } = lab.connect();
    far.reset();
    lab.settle();
    expect([near.broken, near.read()]).toEqual([true, FAILED]);
  });

  it('takes what the kernel has room for, and says when there is room again', () => {
    const lab = new Lab();
    const { near, far } = lab.connect();
    lab.settle();
    const chunk = pattern(1 << 20);
    while (near.writable) near.write(chunk);
    expect(near.write(chunk)).toBe(0);
    const drain = () => {
      while (Buffer.isBuffer(far.receive()));
      return near.writable;
    };
    lab.turnUntil(drain);
    expect(near.write(chunk)).toBeGreaterThan(0);
  });

  it('fails to write to a peer that has reset', () => {
    const lab = new Lab();
    const { near, far } = lab.connect();
    far.reset();
    lab.settle();
    expect(near.write(Buffer.from('x'))).toBe(FAILED);
  });

  it('never brings an event in hand to a socket that was closed meanwhile, nor to a newer one of its number', () => {
    const lab = new Lab();
    const pairs = [lab.connect(), lab.connect()];
    lab.settle();
    const heard: number[] = [];
    const fds = new Set(pairs.map(({ near }) => near.fd));
    for (const [i, { near }] of pairs.entries()) {
      const socketReady = () => {
        heard.push(i);
        for (const pair of pairs) pair.near.close();
        const { near: newer, far } = lab.connect();
        expect(fds.has(newer.fd) || fds.has(far.fd)).toBe(false);
        newer.owner = { socketReady: () => heard.push(2) };
        newer.close();
      };
      near.owner = { socketReady };
    }
    for (const { far } of pairs) far.send(Buffer.from('x'));
    lab.turn();
    expect(heard).toHaveLength(1);
  });

  it('tells a handler nothing of a descriptor that another handler of the same turn has closed', () => {
    const lab = new Lab();
    const pairs = [lab.connect(), lab.connect()];
    lab.settle();
    const heard: number[] = [];
    for (const { near } of pairs) lab.loop.unwatch(near.fd);
    for (const [i, { near, far }] of pairs.entries()) {
      lab.loop.watchReadable(near.fd, {
        ready: () => {
          heard.push(i);
          for (const pair of pairs) lab.loop.close(pair.near.fd);
        },
      });
      far.send(Buffer.from('x'));
    }
    lab.turn();
    expect(heard).toHaveLength(1);
  });

  it('closes descriptors at the end of the turn', () => {
    const lab = new Lab();
    const { near, far } = lab.connect();
    near.close();
    expect(far.receive()).toBeNull();
    lab.turn();
    expect(far.receive()).toBe('end');
  });

  it('closes a socket once, however often it is told', () => {
    const lab = new Lab();
    const { near } = lab.connect();
    near.close();
    near.close();
    near.reset();
    lab.turn();
    const next = lab.connect();
    lab.turn();
    expect(next.far.send(Buffer.from('x'))).toBe(1);
    lab.settle();
    expect(next.near.read()).toBe(1);
  });

  it('resets with a reset', () => {
    const lab = new Lab();
    const { near, far } = lab.connect();
    near.reset();
    lab.turn();
    expect(far.receive()).toBe('reset');
  });

  it('runs tasks in the turn they were set for, and those they set in the next', () => {
    const lab = new Lab();
    const ran: string[] = [];
    lab.loop.soon(() => {
      ran.push('first');
      lab.loop.soon(() => ran.push('second'));
    });
    lab.loop.turn();
    expect(ran).toEqual(['first']);
    lab.loop.turn();
    expect(ran).toEqual(['first', 'second']);
  });

  it('hears nothing of a descriptor that is not watched, and again once it is', () => {
    const lab = new Lab();
    const { near } = lab.connect();
    const { near: other, far } = lab.connect();
    near.close();
    lab.settle();
    other.owner = null;
    const events: number[] = [];
    lab.loop.unwatch(other.fd);
    far.send(Buffer.from('x'));
    lab.settle();
    expect(other.readable).toBe(false);
    lab.loop.watchReadable(other.fd, { ready: mask => events.push(mask) });
    lab.turn();
    expect(events).toEqual([1]);
  });
});
