import { once } from 'node:events';
import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Scope } from '../../support/scope.ts';
import { HttpRig } from './rig.ts';
import { Site } from './site.ts';

const GIB = 1024 ** 3;
const PIECE = Buffer.alloc(1024 * 1024);

/** Writes that many zeros at the reader's pace. */
async function writeZeros(sink: NodeJS.WritableStream & { end(): unknown }, total: number): Promise<void> {
  for (let sent = 0; sent < total; sent += PIECE.length) {
    if (!sink.write(PIECE)) await once(sink, 'drain');
  }
  sink.end();
}

describe('bodies of a GiB', () => {
  let scope: Scope;
  let site: Site;
  let rig: HttpRig;
  let arrived: number;

  beforeEach(async () => {
    scope = new Scope();
    arrived = 0;
    site = await Site.listen((incoming, response) => {
      if (incoming.method === 'GET') {
        writeZeros(response, GIB);
        return;
      }
      incoming.on('data', (chunk: Buffer) => {
        arrived += chunk.length;
      });
      incoming.on('end', () => response.end('ok'));
    });
    scope.defer(() => site.close());
    rig = await HttpRig.listen({ servers: { '*': site.port } });
    scope.defer(() => rig.close());
  });
  afterEach(() => scope.close());

  it.each([
    ['by length', { 'Content-Length': GIB }],
    ['in chunks', { 'Transfer-Encoding': 'chunked' }],
  ])(
    'go upstream %s, in bounded memory',
    async (_what, headers) => {
      const before = process.memoryUsage().rss;
      const outgoing = request({
        port: rig.port,
        method: 'POST',
        headers: { Host: 'allowed.example', ...headers },
      });
      await Promise.all([writeZeros(outgoing, GIB), once(outgoing, 'response')]);
      expect(arrived).toBe(GIB);
      expect(rig.moved.out).toBeGreaterThan(GIB);
      expect(process.memoryUsage().rss - before).toBeLessThan(256 * 1024 * 1024);
    },
    120_000,
  );

  it('come down, in bounded memory', async () => {
    const before = process.memoryUsage().rss;
    const outgoing = request({ port: rig.port, headers: { Host: 'allowed.example' } }).end();
    const [response] = await once(outgoing, 'response');
    for await (const chunk of response) arrived += chunk.length;
    expect(arrived).toBe(GIB);
    expect(process.memoryUsage().rss - before).toBeLessThan(256 * 1024 * 1024);
  }, 120_000);
});
