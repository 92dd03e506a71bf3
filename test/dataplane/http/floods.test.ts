import type { IncomingMessage } from 'node:http';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { RequestQueue, WaitingRoom } from '../../../src/dataplane/http/request-queue.ts';
import { Scope } from '../../support/scope.ts';
import { HttpRig } from './rig.ts';
import { Site } from './site.ts';

const GET = 'GET / HTTP/1.1\r\nHost: allowed.example\r\n\r\n';
let scope = new Scope();

afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

describe('a client that pipelines without end', () => {
  it('is read no further while its requests wait', async () => {
    const site = await Site.listen(() => {});
    scope.defer(() => site.close());
    const rig = await HttpRig.listen({ servers: { '*': site.port } });
    scope.defer(() => rig.close());
    const client = await rig.dial();
    scope.defer(() => client.socket.destroy());
    const piece = Buffer.from(GET.repeat(10_000), 'latin1');
    for (let i = 0; i < 64 && client.socket.write(piece); i++);
    client.socket.write(Buffer.concat(Array.from({ length: 64 }, () => piece)));
    await new Promise(resolve => setTimeout(resolve, 300));
    expect(client.socket.writableLength).toBeGreaterThan(16 * 1024 * 1024);
    expect(rig.decided).toHaveLength(1);
  });

  it('shares the room for waiting requests with all others', () => {
    const room = new WaitingRoom(3);
    const queues = [new RequestQueue(room), new RequestQueue(room)] as const;
    const item = { kind: 'upgrade', request: {} as IncomingMessage, head: new Uint8Array(0) } as const;
    expect([queues[0].add(item), queues[0].add(item), queues[1].add(item)]).toEqual([true, true, true]);
    expect(queues[1].add(item)).toBe(false);
    queues[0].next();
    expect(queues[1].add(item)).toBe(true);
    queues[1].clear();
    queues[0].dropLast();
    expect([room.enter(), room.enter(), room.enter(), room.enter()]).toEqual([true, true, true, false]);
  });
});

describe('a client that never reads', () => {
  it('is ended by the idle timeout, and nothing is left', async () => {
    const site = await Site.listen((_request, response) => response.end(Buffer.alloc(64 * 1024 * 1024)));
    scope.defer(() => site.close());
    const rig = await HttpRig.listen({ servers: { '*': site.port }, settings: { idleTimeoutMs: 200 } });
    scope.defer(() => rig.close());
    const client = await rig.dial();
    client.socket.pause();
    await client.send(`${GET}rubbish\r\n\r\n`);
    await expect.poll(() => rig.closed).toMatchObject([{ end: 'idle_timeout' }]);
    expect(rig.flows.openFlows).toBe(0);
    expect(rig.moved.in).toBeLessThan(32 * 1024 * 1024);
    client.socket.destroy();
  });
});

describe('bytes of any kind, in pieces of any size', () => {
  const line = fc.constantFrom(
    'ET / HTTP/1.1\r\n',
    'GET / HTTP/1.1\r\n',
    'POST / HTTP/1.1\r\n',
    'GET http://evil.example/ HTTP/1.1\r\n',
    'HEAD / HTTP/1.0\r\n',
    'Host: allowed.example\r\n',
    'Host: evil.example\r\n',
    'Content-Length: 5\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Connection: Upgrade\r\n',
    'Connection: Host\r\n',
    'Upgrade: websocket\r\n',
    'Expect: 100-continue\r\n',
    '\r\n',
    '\n',
    '\r',
    '5\r\nabcde\r\n',
    '0\r\n\r\n',
    '\0',
    'abcde',
  );

  it('never send a request to a host that is not allowed, and leave nothing open', async () => {
    const site = await Site.listen();
    scope.defer(() => site.close());
    const rig = await HttpRig.listen({
      servers: { '*': site.port },
      settings: { helloTimeoutMs: 30, idleTimeoutMs: 60 },
    });
    scope.defer(() => rig.close());
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(line, { maxLength: 8 }), { minLength: 1, maxLength: 3 }),
        async pieces => {
          const client = await rig.dial();
          await client.send('G');
          for (const piece of pieces) await client.send(Buffer.from(piece.join(''), 'latin1'));
          client.finish();
          await client.end();
          client.socket.destroy();
        },
      ),
      { numRuns: 300 },
    );
    expect(site.hosts.filter(host => host !== 'allowed.example')).toEqual([]);
    await expect.poll(() => rig.flows.openFlows).toBe(0);
    expect(rig.closed.map(({ flow }) => flow).sort()).toEqual(rig.decided.map(({ flow }) => flow).sort());
  }, 120_000);
});
