import { describe, expect, it } from 'vitest';
import { Acceptor } from '../../../src/dataplane/epoll/acceptor.ts';
import { ConnectAttempt } from '../../../src/dataplane/epoll/connector.ts';
import { F_DUPFD_CLOEXEC, openEventFd } from '../../../src/dataplane/epoll/libc.ts';
import { Mailbox } from '../../../src/dataplane/epoll/mailbox.ts';
import { type FromWorker, fromPlain, type ToWorker, toPlain } from '../../../src/dataplane/epoll/messages.ts';
import { PipePool } from '../../../src/dataplane/epoll/pipe-pool.ts';
import {
  decodeSocketAddress,
  encodeSocketAddress,
  localAddress,
  openListener,
  originalDestination,
} from '../../../src/dataplane/epoll/sockets.ts';
import type { DialFailure } from '../../../src/dataplane/events.ts';
import type { Resolution } from '../../../src/resolve/resolver.ts';
import { hostname, ip } from '../../resolve/support.ts';
import { FarEnd, isLinux, Lab } from './support.ts';

describe.skipIf(!isLinux)('PipePool (Linux only)', () => {
  const { libc } = new Lab().ffi;

  it('hands out a pipe that was given back empty', () => {
    const pool = new PipePool(libc);
    const pipe = pool.take();
    if (pipe === null) throw new Error('no pipe');
    expect(pipe.capacity).toBeGreaterThanOrEqual(4_096);
    pool.give(pipe);
    expect(pool.take()).toBe(pipe);
  });

  it('never hands out one that holds bytes', () => {
    const pool = new PipePool(libc);
    const pipe = pool.take();
    if (pipe === null) throw new Error('no pipe');
    libc.write(pipe.writeEnd, Buffer.from('secret'), 6);
    pipe.filled = 6;
    pool.give(pipe);
    const next = pool.take();
    expect(next).not.toBe(pipe);
    expect(libc.read(next?.readEnd ?? -1, Buffer.alloc(10), 10)).toBe(-1);
  });

  it('closes the surplus of a burst', () => {
    const pool = new PipePool(libc);
    const burst = Array.from({ length: 70 }, () => pool.take());
    for (const pipe of burst) if (pipe !== null) pool.give(pipe);
    const again = Array.from({ length: 70 }, () => pool.take());
    expect(again.filter(pipe => burst.includes(pipe))).toHaveLength(16);
  });
});

describe('socket addresses', () => {
  it.each([
    ['192.0.2.1', 443, 16],
    ['255.255.255.255', 65_535, 16],
    ['2001:db8::ff', 1, 28],
    ['::1', 8_443, 28],
  ])('%s port %i survives the kernel’s form', (text, port, size) => {
    const bytes = Buffer.alloc(28, 0xff);
    expect(encodeSocketAddress(ip(text), port, bytes)).toBe(size);
    const decoded = decodeSocketAddress(bytes);
    expect([String(decoded.ip), decoded.port]).toEqual([text, port]);
  });

  it('an IPv4-mapped peer is an IPv4 one', () => {
    const bytes = Buffer.alloc(28);
    bytes.writeUInt16LE(10, 0);
    bytes.writeUInt16BE(443, 2);
    Buffer.from('00000000000000000000ffffc0000201', 'hex').copy(bytes, 8);
    expect(String(decodeSocketAddress(bytes).ip)).toBe('192.0.2.1');
  });
});

describe.skipIf(!isLinux)('listening sockets (Linux only)', () => {
  it('share one address between workers', () => {
    const { libc } = new Lab().ffi;
    const first = openListener(libc, ip('127.0.0.1'), 0);
    const { port } = localAddress(libc, first);
    expect(port).toBeGreaterThan(0);
    expect(openListener(libc, ip('127.0.0.1'), port)).toBeGreaterThan(first);
  });

  it('say which call failed, and why', () => {
    const { libc } = new Lab().ffi;
    expect(() => openListener(libc, ip('198.51.100.1'), 0)).toThrow('bind: EADDRNOTAVAIL');
  });

  it('tell a client that came directly from one that was redirected', () => {
    const lab = new Lab();
    const { near } = lab.connect();
    const { port } = localAddress(lab.ffi.libc, near.fd);
    const destination = originalDestination(lab.ffi.libc, near.fd, 4);
    // With conntrack loaded the kernel knows the destination, which is the listener itself.
    if (destination !== null) expect(destination.port).toBe(port);
  });
});

describe.skipIf(!isLinux)('Acceptor (Linux only)', () => {
  it('accepts what is queued, more than a turn’s share of it too, and tells who it is', () => {
    const lab = new Lab();
    const { libc } = lab.ffi;
    const fd = openListener(libc, ip('127.0.0.1'), 0);
    const { port } = localAddress(libc, fd);
    const accepted: string[] = [];
    new Acceptor(lab.loop, fd, lab.descriptors(), (_fd, client) =>
      accepted.push(`${client.ip}:${client.port}`),
    );
    const clients = Array.from({ length: 100 }, () => lab.dial(port));
    lab.turn();
    expect(accepted.length).toBeLessThan(100);
    lab.turnUntil(() => accepted.length === 100);
    const expected = clients.map(client => `127.0.0.1:${localAddress(libc, client.fd).port}`);
    expect([...accepted].sort()).toEqual(expected.sort());
  });

  it('takes what is queued before it closes, and nothing after', () => {
    const lab = new Lab();
    const { libc } = lab.ffi;
    const fd = openListener(libc, ip('127.0.0.1'), 0);
    const { port } = localAddress(libc, fd);
    const accepted: FarEnd[] = [];
    const acceptor = new Acceptor(lab.loop, fd, lab.descriptors(), near =>
      accepted.push(new FarEnd(lab, near)),
    );
    const client = lab.dial(port);
    acceptor.close(false);
    acceptor.close(false);
    lab.settle();
    expect(accepted).toHaveLength(1);
    expect(client.send(Buffer.from('x'))).toBe(1);
    expect(lab.dial(port).send(Buffer.from('x'))).toBeLessThan(0);
  });

  it('leaves what is queued to whoever else holds the socket', () => {
    const lab = new Lab();
    const { libc } = lab.ffi;
    const fd = openListener(libc, ip('127.0.0.1'), 0);
    const { port } = localAddress(libc, fd);
    const accepted: number[] = [];
    const first = new Acceptor(lab.loop, libc.fcntl(fd, F_DUPFD_CLOEXEC, 0), lab.descriptors(), near =>
      accepted.push(near),
    );
    lab.dial(port);
    first.close(true);
    lab.settle();
    expect(accepted).toHaveLength(0);
    new Acceptor(lab.loop, fd, lab.descriptors(), near => accepted.push(near));
    lab.turnUntil(() => accepted.length === 1);
  });
});

describe.skipIf(!isLinux)('ConnectAttempt (Linux only)', () => {
  const attempt = (lab: Lab, address: string, port: number) => {
    const outcomes: (DialFailure | null)[] = [];
    return {
      outcomes,
      attempt: new ConnectAttempt(lab.loop, ip(address), port, failure => outcomes.push(failure)),
    };
  };

  it('connects, and not before the constructor has returned', () => {
    const lab = new Lab();
    const fd = openListener(lab.ffi.libc, ip('127.0.0.1'), 0);
    const { outcomes, attempt: made } = attempt(lab, '127.0.0.1', localAddress(lab.ffi.libc, fd).port);
    expect(outcomes).toEqual([]);
    lab.turnUntil(() => outcomes.length > 0);
    lab.settle();
    expect([outcomes, made.socket?.writable]).toEqual([[null], true]);
  });

  it('says that nobody listens', () => {
    const lab = new Lab();
    const fd = openListener(lab.ffi.libc, ip('127.0.0.1'), 0);
    const { port } = localAddress(lab.ffi.libc, fd);
    lab.ffi.libc.close(fd);
    const { outcomes } = attempt(lab, '127.0.0.1', port);
    expect(outcomes).toEqual([]);
    lab.turnUntil(() => outcomes.length > 0);
    expect(outcomes).toEqual(['refused']);
  });

  it('fails where no connection can begin', () => {
    const lab = new Lab();
    const { outcomes } = attempt(lab, '255.255.255.255', 443);
    lab.turnUntil(() => outcomes.length > 0);
    expect(outcomes).toHaveLength(1);
    expect(outcomes[0]).not.toBeNull();
  });

  it('says nothing more once aborted', () => {
    const lab = new Lab();
    const fd = openListener(lab.ffi.libc, ip('127.0.0.1'), 0);
    const { outcomes, attempt: made } = attempt(lab, '127.0.0.1', localAddress(lab.ffi.libc, fd).port);
    made.abort();
    const broken = attempt(lab, '255.255.255.255', 443);
    broken.attempt.abort();
    lab.settle();
    expect([outcomes, broken.outcomes]).toEqual([[], []]);
  });
});

describe.skipIf(!isLinux)('Mailbox (Linux only)', () => {
  function mailboxOf() {
    const lab = new Lab();
    const wakeFd = openEventFd(lab.ffi.libc);
    const inbox: ToWorker[] = [];
    const sent: FromWorker<string>[] = [];
    const orders: string[] = [];
    const mailbox = new Mailbox<string>(
      lab.loop,
      wakeFd,
      { receive: () => inbox.shift(), send: message => sent.push(message) },
      {
        policy: () => orders.push('policy'),
        tcpAddresses: () => orders.push('tcpAddresses'),
        drain: () => orders.push('drain'),
        abandon: () => orders.push('abandon'),
      },
    );
    const tell = (...messages: ToWorker[]) => {
      inbox.push(...messages);
      lab.ffi.libc.write(wakeFd, Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]), 8);
      lab.turn();
    };
    return { mailbox, tell, sent, orders, lab };
  }

  it('obeys all that has arrived when it is woken, in order', () => {
    const { tell, orders } = mailboxOf();
    tell(
      { type: 'policy', buffer: new SharedArrayBuffer(0) },
      { type: 'drain', hasSuccessor: false },
      { type: 'abandon' },
    );
    expect(orders).toEqual(['policy', 'drain', 'abandon']);
  });

  it('does not wake again for what it has read', () => {
    const { tell, orders, lab } = mailboxOf();
    tell({ type: 'drain', hasSuccessor: false });
    lab.settle();
    expect(orders).toEqual(['drain']);
  });

  it('hands each report over as it is, and says that it is drained after the last', () => {
    const { mailbox, sent } = mailboxOf();
    mailbox.report('one');
    mailbox.report('two');
    mailbox.drained();
    expect(sent).toEqual([
      { type: 'report', report: 'one' },
      { type: 'report', report: 'two' },
      { type: 'drained' },
    ]);
  });

  it('brings each answer to its question, once', () => {
    const { mailbox, tell, sent } = mailboxOf();
    const answers: string[] = [];
    mailbox.resolve(hostname('a.example'), resolution => answers.push(`a ${resolution.ok}`));
    mailbox.resolve(hostname('b.example'), resolution => answers.push(`b ${resolution.ok}`));
    const ids = sent.map(message => (message.type === 'resolve' ? message.id : -1));
    const answer = (id: number): ToWorker => ({
      type: 'resolved',
      id,
      resolution: { ok: false, failure: 'unknown', ttlMs: 0 },
    });
    tell(answer(ids[1] ?? -1), answer(ids[1] ?? -1), answer(99), answer(ids[0] ?? -1));
    expect(answers).toEqual(['b false', 'a false']);
  });
});

describe('a resolution on its way between threads', () => {
  it.each<[string, Resolution]>([
    [
      'with addresses',
      {
        ok: true,
        expiresMs: 5,
        addresses: [
          { ip: ip('10.0.0.1'), guard: 'private' },
          { ip: ip('2001:db8::1'), guard: 'ok' },
        ],
      },
    ],
    ['without', { ok: false, expiresMs: 5, failure: 'unreachable' }],
  ])('stays the same %s, and lasts as long on the other’s clock', (_, resolution) => {
    const plain = structuredClone(toPlain(resolution, 2));
    expect(fromPlain(plain, 1_000)).toEqual({ ...resolution, expiresMs: 1_003 });
  });
});
