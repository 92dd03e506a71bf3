import { appendFileSync, cpSync, mkdtempSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { type LogLine, TestDaemon } from '../support/daemon.ts';
import { Peer } from '../support/peer.ts';
import { Scope } from '../support/scope.ts';
import { connectRequest } from '../support/tunnel.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const isReload = (result: string) => (line: LogLine) => line.event === 'reload' && line.result === result;

const policy = (rules: number) => ({
  mode: 'enforce',
  rules: Array.from({ length: rules }, (_, i) => ({ name: `rule-${i}`, hosts: [`h${i}.example`] })),
});
/** More than is loaded in place. */
const LARGE = 1_000;

describe('the program is replaced under a running daemon', () => {
  const scope = new Scope();
  afterEach(() => scope.close());

  async function startCopy(): Promise<{ daemon: TestDaemon; program: string }> {
    const program = mkdtempSync(join(tmpdir(), 'sallyport-program-'));
    scope.defer(() => rmSync(program, { recursive: true, force: true }));
    for (const part of ['dist', 'config', 'package.json'])
      cpSync(join(ROOT, part), join(program, part), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(program, 'node_modules'));
    const daemon = await TestDaemon.start({
      policy: policy(1),
      config: { dns: { hosts: { 'h1.example': '127.0.0.1' } } },
      main: join(program, 'dist', 'main.js'),
    });
    scope.defer(() => daemon.kill());
    return { daemon, program };
  }

  async function answerOf(daemon: TestDaemon, host: string): Promise<string> {
    const client = await Peer.dial(daemon.port('proxy'));
    scope.defer(() => client.socket.destroy());
    await client.send(connectRequest(`${host}:443`));
    await client.end();
    return client.text;
  }

  it.each<[string, (program: string) => void]>([
    [
      'by another',
      program => {
        renameSync(join(program, 'dist'), join(program, 'old'));
        cpSync(join(program, 'old'), join(program, 'dist'), { recursive: true });
        appendFileSync(join(program, 'dist', 'epoll-worker.js'), '// of another version\n');
      },
    ],
    ['by nothing', program => rmSync(join(program, 'dist'), { recursive: true })],
  ])('%s: it goes on and says that a restart is needed', async (_, replace) => {
    const { daemon, program } = await startCopy();
    replace(program);
    // Small ones are loaded by the program that runs.
    daemon.writePolicy(policy(2));
    await daemon.line(isReload('success'));
    expect(await daemon.line(line => line.event === 'restart_needed')).toMatchObject({ level: 'warn' });

    daemon.writePolicy(policy(LARGE));
    const error = await daemon.line(line => line.event === 'reload_error');
    expect(error.msg).toContain('restart needed (restart sallyport)');
    await daemon.line(isReload('failure'));
    const change = await fetch(`${daemon.admin}/api/v1/allow`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ hosts: ['more.example'] }),
    });
    expect(await change.text()).toContain('restart needed');

    expect(await answerOf(daemon, 'h5.example')).toContain('not_allowed');
    expect(await answerOf(daemon, 'h1.example')).toContain('destination_forbidden');
    expect((await fetch(`${daemon.admin}/-/ready`)).status).toBe(200);
    expect(daemon.lines.filter(line => line.event === 'restart_needed')).toHaveLength(1);
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  });
});
