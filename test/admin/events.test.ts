import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startAdminServer } from '../../src/admin/admin-server.ts';
import { streamEvents } from '../../src/admin/event-stream.ts';
import { LiveTail } from '../../src/observe/live-tail.ts';
import { until } from '../support/until.ts';
import { ask } from './ask.ts';
import { ADMIN, FakeDaemon } from './support.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

async function start() {
  const [daemon, tail] = [new FakeDaemon(), new LiveTail()];
  daemon.tail = tail;
  const server = await startAdminServer(ADMIN, daemon);
  onTestFinished(() => server.close());
  const url = `http://127.0.0.1:${server.address.port}/api/v1/events`;
  /** Reads until `text` was read. */
  const listen = async () => {
    const gone = new AbortController();
    onTestFinished(() => gone.abort());
    const response = await fetch(url, { signal: gone.signal });
    const chunks = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let read = '';
    const readUntil = async (text: string) => {
      while (!read.includes(text)) {
        const { done, value } = (await chunks?.read()) ?? { done: true, value: undefined };
        if (done) throw new Error(`ended after ${read}`);
        read += value;
      }
      return read;
    };
    return { response, readUntil, leave: () => gone.abort() };
  };
  return { tail, url, server, listen };
}

describe('GET /api/v1/events', () => {
  it('is what flows do, a line an event, for all who listen', async () => {
    const { tail, listen } = await start();
    const listeners = [await listen(), await listen()];
    tail.say(bytes('{"a":1}\n{"b":2}\n'));
    for (const { response, readUntil } of listeners) {
      expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
      expect(await readUntil('2}')).toBe(':\n\ndata: {"a":1}\n\ndata: {"b":2}\n\n');
    }
  });

  it('costs nothing any more when who listened is gone', async () => {
    const { tail, listen } = await start();
    const { leave } = await listen();
    expect(tail.listeners).toBe(1);
    leave();
    await until('nobody listens', () => tail.listeners === 0);
  });

  it('is for eight at most', async () => {
    const { tail, url, listen } = await start();
    const listeners = [];
    for (let i = 0; i < 8; i++) listeners.push(await listen());
    const ninth = await fetch(url);
    expect([ninth.status, await ninth.json()]).toEqual([503, { error: '8 listen already' }]);
    listeners[0]?.leave();
    await until('one is gone', () => tail.listeners === 7);
    expect((await listen()).response.status).toBe(200);
  });

  it('ends for who is too slow, and for nobody else', async () => {
    const { tail, server, listen } = await start();
    const { readUntil } = await listen();
    const slow = connect(server.address.port, '127.0.0.1');
    onTestFinished(() => void slow.destroy());
    slow.write(`GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
    await once(slow, 'data');
    slow.pause();
    const line = bytes(`${'x'.repeat(64 * 1024 - 1)}\n`);
    await until('the slow one is ended', async () => {
      tail.say(line);
      await readUntil('x'.repeat(100));
      return tail.listeners === 1;
    });
    tail.say(bytes('the end\n'));
    await readUntil('the end');
    let rest = '';
    slow.on('data', chunk => {
      rest = (rest + chunk).slice(-200);
    });
    slow.resume();
    await until('it is told', () => rest.includes('event: lagged\ndata: this listener is too slow\n\n'));
  });

  it('beats while nothing is said', async () => {
    const reader = streamEvents(new LiveTail(), 5).getReader();
    onTestFinished(() => reader.cancel());
    for (let i = 0; i < 3; i++)
      expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe(':\n\n');
  });

  it('HEAD listens to nothing', async () => {
    const daemon = new FakeDaemon();
    const { status, type } = await ask({ method: 'HEAD', path: '/api/v1/events' }, daemon);
    expect([status, type, daemon.tail?.listeners]).toEqual([200, 'text/event-stream', 0]);
  });

  it('says that the log level leaves nothing to hear', async () => {
    const daemon = new FakeDaemon();
    daemon.tail = null;
    const { status, text } = await ask({ path: '/api/v1/events' }, daemon);
    expect([status, JSON.parse(text).error]).toEqual([409, expect.stringContaining('log.level')]);
  });
});
