import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { TestDaemon } from '../support/daemon.ts';
import { Scope } from '../support/scope.ts';
import { canMount, fillDisk, smallDisk } from '../support/small-disk.ts';
import { until } from '../support/until.ts';

const scope = new Scope();
afterEach(() => scope.close());

const POLICY = { mode: 'enforce', rules: [{ name: 'deny-all', action: 'deny', hosts: ['**.example'] }] };
const LOST = 'sallyport_log_dropped_total';

/** Asks for a host that the policy denies, and returns the answer's status line. */
async function ask(port: number, host: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('error', () => {});
  socket.on('data', chunk => {
    answer += chunk.toString('latin1');
  });
  socket.end(`CONNECT ${host}:443 HTTP/1.1\r\nHost: ${host}:443\r\n\r\n`);
  await new Promise(resolve => socket.once('close', resolve));
  return answer.split('\r\n')[0] ?? '';
}

describe('the log', () => {
  it('whose reader went away: the filter goes on, and what is lost is counted', async () => {
    const daemon = await TestDaemon.start({ policy: POLICY });
    scope.defer(() => daemon.kill());
    const port = daemon.port('proxy');
    daemon.process.stdout?.destroy();
    for (let i = 0; i < 20; i++) expect(await ask(port, `h${i}.example`)).toContain('403');
    await until('all 40 records are counted as lost', async () => (await daemon.metric(LOST)) === 40);
    expect((await fetch(`${daemon.admin}/-/healthy`)).status).toBe(200);
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  });

  it('and the messages of whose readers went away, stderr as well', async () => {
    const daemon = await TestDaemon.start({ policy: POLICY });
    scope.defer(() => daemon.kill());
    daemon.process.stdout?.destroy();
    daemon.process.stderr?.destroy();
    daemon.writePolicy('rules: [');
    await until('the reload has failed', async () => {
      return (
        (await daemon.metric('sallyport_config_last_reload_successful')) === 0 &&
        (await daemon.metric(LOST)) > 0
      );
    });
    expect(await ask(daemon.port('proxy'), 'host.example')).toContain('403');
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  });
});

describe.runIf(canMount)('the log on a disk (needs root, for mount)', () => {
  it('that is full: the filter goes on; once there is room, the log says how many lines are missing', async () => {
    const disk = smallDisk(scope, 'size=256k');
    const [log, ballast] = [join(disk, 'log'), join(disk, 'ballast')];
    writeFileSync(log, '');
    const daemon = TestDaemon.launch({
      policy: POLICY,
      prefix: ['sh', '-c', `exec "$@" >> '${log}'`, 'sh'],
    });
    scope.defer(() => daemon.kill());
    const texts = () => readFileSync(log, 'utf8').split('\n');
    await until('it is ready', () => texts().some(text => text.includes('"event":"ready"')));
    for (const text of texts()) daemon.read(text);
    const port = daemon.port('proxy');

    fillDisk(ballast);
    for (let i = 0; i < 50; i++) expect(await ask(port, `full${i}.example`)).toContain('403');
    await until('lines are lost', async () => (await daemon.metric(LOST)) > 0);
    rmSync(ballast);
    let asked = 0;
    await until('the log says so', async () => {
      await ask(port, `room${asked++}.example`);
      return texts().some(text => text.includes('"event":"log_lost"'));
    });

    const lost = await daemon.metric(LOST);
    const [last, ...lines] = texts().reverse();
    expect(last).toBe('');
    const records = lines.flatMap(text => (isJson(text) ? [JSON.parse(text)] : []));
    expect(lines.length - records.length).toBeLessThanOrEqual(1);
    const said = records.filter(({ event }) => event === 'log_lost').map(({ lines: count }) => count);
    expect(said.reduce((sum, count) => sum + count, 0)).toBe(lost);
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
