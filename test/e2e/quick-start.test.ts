import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { Scope } from '../support/scope.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Those of config/sallyport.yaml. */
const PORTS = [3128, 9464];
const areFree = (await Promise.all(PORTS.map(isFree))).every(Boolean);

describe.skipIf(!areFree)(
  `the shipped configuration${areFree ? '' : ` (skipped: one of the ports ${PORTS} is taken)`}`,
  () => {
    const scope = new Scope();
    afterAll(() => scope.close());

    it('runs as it is: gets ready, says how long that took, and ends when told to', async context => {
      const daemon = spawn(process.execPath, ['dist/main.js', 'run', '-c', 'config/sallyport.yaml'], {
        cwd: ROOT,
      });
      scope.defer(() => daemon.kill('SIGKILL'));
      const ready = await firstReadyLine(daemon);
      expect(ready).toMatchObject({ level: 'info', mode: 'observe', startup_ms: expect.any(Number) });
      await context.annotate(`ready after ${ready.startup_ms} ms`);

      const response = await fetch('http://127.0.0.1:9464/-/ready');
      expect([response.status, await response.text()]).toEqual([200, 'ready\n']);
      const exited = once(daemon, 'exit');
      daemon.kill('SIGTERM');
      expect(await exited).toEqual([0, null]);
    });
  },
);

async function firstReadyLine({ stdout, stderr }: ChildProcess): Promise<Record<string, unknown>> {
  if (stdout === null || stderr === null) throw new Error('no pipes');
  const said: string[] = [];
  stderr.on('data', chunk => said.push(String(chunk)));
  for await (const line of createInterface(stdout)) {
    said.push(line);
    const record = JSON.parse(line);
    if (record.event === 'ready') return record;
  }
  throw new Error(`never ready:\n${said.join('\n')}`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const answer = new Promise<boolean>(resolve => {
    server.once('error', () => resolve(false));
    server.once('listening', () => server.close(() => resolve(true)));
  });
  server.listen(port, '127.0.0.1');
  return answer;
}
