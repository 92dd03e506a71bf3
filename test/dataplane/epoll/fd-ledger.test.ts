import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FdLedger, recorded } from '../../../src/dataplane/epoll/fd-ledger.ts';
import * as c from '../../../src/dataplane/epoll/libc.ts';
import { isLinux } from './support.ts';

describe('FdLedger', () => {
  it('knows what is open as a set does, in every view of it', () => {
    const action = fc.record({ fd: fc.nat(300), opens: fc.boolean() });
    fc.assert(
      fc.property(fc.array(action), actions => {
        const ledger = new FdLedger();
        const open = new Set<number>();
        for (const { fd, opens } of actions) {
          if (opens) ledger.add(fd);
          else ledger.remove(fd);
          if (opens) open.add(fd);
          else open.delete(fd);
        }
        expect(new FdLedger(ledger.buffer).open()).toEqual([...open].sort((a, b) => a - b));
      }),
    );
  });

  it('leaves descriptors alone that no process has', () => {
    const ledger = new FdLedger();
    for (const fd of [-1, 2 ** 31 - 1]) {
      ledger.add(fd);
      ledger.remove(fd);
    }
    expect(ledger.open()).toEqual([]);
  });
});

describe.skipIf(!isLinux)('recorded system calls (Linux only)', () => {
  it('enter what is opened, and strike out what is closed', () => {
    const ledger = new FdLedger();
    const libc = recorded(c.loadFfi().libc, ledger);
    const pipe = new Int32Array(2);
    c.openPipe(libc, pipe);
    const fds = [libc.socket(c.AF_INET, c.SOCK_STREAM, 0), c.openEpoll(libc), c.openEventFd(libc), ...pipe];
    expect(fds.every(fd => fd > 2)).toBe(true);
    expect(ledger.open()).toEqual([...fds].sort((a, b) => a - b));
    for (const fd of fds) libc.close(fd);
    expect(ledger.open()).toEqual([]);
  });

  it('enter nothing that could not be opened', () => {
    const ledger = new FdLedger();
    const libc = recorded(c.loadFfi().libc, ledger);
    expect(libc.socket(-1, c.SOCK_STREAM, 0)).toBe(-1);
    expect(libc.pipe2(new Int32Array(2), -1)).toBe(-1);
    expect(ledger.open()).toEqual([]);
  });
});
