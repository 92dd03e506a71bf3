import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { runCommand } from '../support/command.ts';
import { TestDaemon } from '../support/daemon.ts';
import { Scope } from '../support/scope.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const [FIRST, SECOND] = ['first-token-of-this-daemon', 'second-token-of-this-daemon'];
const RULES = 20_000;

describe('the token of a daemon', () => {
  const scope = new Scope();
  afterAll(() => scope.close());

  it('can be changed while it runs, and is told nowhere', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-token-'));
    scope.defer(() => rmSync(directory, { recursive: true }));
    const tokenFile = join(directory, 'token');
    writeFileSync(tokenFile, FIRST, { mode: 0o600 });
    const daemon = await TestDaemon.start({
      policy: { mode: 'observe', rules: [] },
      config: { admin: { address: '127.0.0.1:0', tokenFile }, log: { level: 'debug' } },
    });
    scope.defer(() => daemon.kill());
    const said: string[] = [];
    const reload = async (token: string | null) => {
      const headers: Record<string, string> = token === null ? {} : { authorization: `bearer ${token}` };
      const answer = await fetch(`${daemon.admin}/-/reload`, { method: 'POST', headers });
      said.push(JSON.stringify([...answer.headers]), await answer.text());
      return answer.status;
    };
    expect([await reload(null), await reload(SECOND), await reload(FIRST)]).toEqual([401, 401, 200]);
    writeFileSync(tokenFile, SECOND);
    expect([await reload(FIRST), await reload(SECOND)]).toEqual([401, 200]);
    const args = ['allow', 'a.example', '--yes', '--admin', daemon.admin, '--token-file', tokenFile];
    const allowed = await runCommand(process.execPath, [MAIN, ...args]);
    expect(allowed.code).toBe(0);
    writeFileSync(tokenFile, `${SECOND} and more`);
    expect(await reload(SECOND)).toBe(503);
    await daemon.line(line => line.event === 'admin_token');
    for (const path of ['/api/v1/status', '/api/v1/policy', '/metrics']) {
      said.push(await (await fetch(`${daemon.admin}${path}`)).text());
    }
    const pid = daemon.process.pid;
    said.push(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), readFileSync(`/proc/${pid}/environ`, 'utf8'));
    said.push(allowed.stdout, allowed.stderr, JSON.stringify(daemon.lines), ...daemon.otherOutput);
    expect(said.join('\n')).not.toMatch(/(first|second)-token/);
    expect(said.join('\n')).toContain('"event":"audit"');
  });

  it('a client that goes away in the middle of an answer leaves no trace in the log', async () => {
    const rules = Array.from({ length: RULES }, (_, i) => `  - { name: r${i}, hosts: [h${i}.example] }\n`);
    const daemon = await TestDaemon.start({ policy: `version: 1\nmode: observe\nrules:\n${rules.join('')}` });
    scope.defer(() => daemon.kill());
    const { port, host } = new URL(daemon.admin);
    for (let i = 0; i < 5; i++) {
      const socket = connect(Number(port), '127.0.0.1');
      socket.write(`GET /api/v1/rules HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      await once(socket, 'data');
      socket.resetAndDestroy();
    }
    const all = await (await fetch(`${daemon.admin}/api/v1/rules`)).json();
    expect(all).toMatchObject({ rules: expect.objectContaining({ length: RULES }) });
    daemon.process.kill('SIGTERM');
    expect(await daemon.exited).toEqual({ code: 0, signal: null });
    expect(daemon.otherOutput).toEqual([]);
    expect(daemon.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
