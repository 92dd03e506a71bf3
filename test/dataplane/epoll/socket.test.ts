import { describe, expect, it } from 'vitest';
import { ReadAhead } from '../../../src/dataplane/epoll/read-ahead.ts';
import { WOULD_BLOCK } from '../../../src/dataplane/epoll/socket.ts';
import { isLinux, Lab, pattern } from './support.ts';

describe.skipIf(!isLinux)('a socket that was accepted (Linux only)', () => {
  const lab = new Lab();

  it('has room at once, and hears of room again when it was full', () => {
    const { near, far } = lab.connect();
    const rooms: boolean[] = [];
    near.owner = { socketReady: () => rooms.push(near.writable) };
    expect(near.writable).toBe(true);
    const chunk = pattern(256 * 1024);
    let sent = 0;
    while (near.writable) sent += near.write(chunk);
    lab.settle();
    expect(rooms).not.toContain(true);

    let received = 0;
    lab.turnUntil(() => {
      const bytes = far.receive();
      if (Buffer.isBuffer(bytes)) received += bytes.length;
      return received === sent;
    });
    lab.turnUntil(() => near.writable);
    expect(rooms).toContain(true);
    expect(near.write(chunk)).toBeGreaterThan(0);
    near.close();
  });

  it('hears of what was read before it was watched no second time, and of what comes then', () => {
    const { near, far } = lab.connect();
    let calls = 0;
    near.owner = { socketReady: () => calls++ };
    far.send(Buffer.from('one'));
    expect(near.read()).toBe(3);
    expect(near.read()).toBe(WOULD_BLOCK);
    far.send(Buffer.from('two'));
    lab.turnUntil(() => near.readable);
    expect([near.read(), calls]).toEqual([3, 1]);
    near.close();
  });
});

describe('a look at what a client has said when it is accepted', () => {
  it('is worth it until nothing was found, and then now and again', () => {
    const ahead = new ReadAhead();
    expect([ahead.isWorthIt(), ahead.isWorthIt()]).toEqual([true, true]);
    ahead.foundNothing();
    const looks = Array.from({ length: 66 }, () => ahead.isWorthIt());
    expect(looks.indexOf(true)).toBe(32);
    ahead.foundNothing();
    expect(Array.from({ length: 33 }, () => ahead.isWorthIt())).toEqual([...Array(32).fill(false), true]);
  });
});
