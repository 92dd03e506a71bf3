import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestDaemon } from '../support/daemon.ts';
import { pairRecords } from '../support/egress.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { until } from '../support/until.ts';
import { visitWithCurl, visitWithNode, visitWithPython, type Way } from '../support/web-clients.ts';
import { FARM, farmObstacle, WebFarm } from '../support/web-farm.ts';
import { planVisits, type Visit } from '../support/web-visits.ts';

/** `npm run test:http` sets it: ten thousand requests and bodies of a GiB, instead of what fits a run of all tests. */
const isFull = process.env.SALLYPORT_HTTP_RUN === 'full';
const REQUESTS = isFull ? 10_000 : 500;
const BULK_BYTES = (isFull ? 1_024 : 48) * 1_024 ** 2;
const TICKS_PER_SECOND = 100;
const MIB = 1_024 ** 2;

const obstacle = farmObstacle();

describePlanes(`a long run of HTTP${obstacle === null ? '' : ` (skipped: ${obstacle})`}`, dataplane => {
  const test = it.skipIf(obstacle !== null);
  const timeout = isFull ? 600_000 : 60_000;
  const scope = new Scope();
  let farm: WebFarm;
  let daemon: TestDaemon;

  beforeAll(async () => {
    if (obstacle !== null) return;
    farm = await WebFarm.start(BULK_BYTES);
    scope.defer(() => farm.close());
    daemon = await TestDaemon.start({
      policy: {
        mode: 'enforce',
        rules: [{ name: 'farm', hosts: ['nginx.example', 'haproxy.example'], ports: [farm.port] }],
      },
      config: {
        dataplane,
        workers: 2,
        listeners: [
          { name: 'proxy', kind: 'explicit', address: '127.0.0.1:0' },
          { name: 'web', kind: 'sni', address: '127.0.0.1:0', upstreamPort: farm.port },
        ],
        dns: { hosts: FARM },
        destinations: { allow: ['127.0.0.0/8'] },
      },
    });
    scope.defer(() => daemon.stop());
  });
  afterAll(() => scope.close());

  const straight = (): Way => ({ port: daemon.port('web'), isProxy: false, farmPort: farm.port });
  const byProxy = (): Way => ({ port: daemon.port('proxy'), isProxy: true, farmPort: farm.port });

  test('loses nothing of requests of every kind, and none reaches a host that is not allowed', {
    timeout,
  }, async () => {
    const visits = planVisits(REQUESTS);
    const part = (first: number, end: number) =>
      visits.slice(Math.floor(first * visits.length), Math.floor(end * visits.length));
    const faults = await Promise.all([
      visitWithNode(part(0, 0.3), straight()),
      visitWithNode(part(0.3, 0.6), byProxy()),
      visitWithPython(part(0.6, 0.8), straight()),
      visitWithCurl(part(0.8, 0.9), straight(), farm.files),
      visitWithCurl(part(0.9, 1), byProxy(), farm.files),
    ]);
    expect(faults.flat()).toEqual([]);
    expect(farm.strayed).toBe(0);
    const isAllowed = ({ kind }: Visit) => kind !== 'denied';
    const isForBackend = ({ host, path }: Visit) => host === 'haproxy.example' || !path.startsWith('/file/');
    expect([...farm.asked.keys()].sort()).toEqual(['haproxy.example', 'nginx.example']);
    expect([...farm.asked.values()].reduce((sum, count) => sum + count, 0)).toBe(
      visits.filter(visit => isAllowed(visit) && isForBackend(visit)).length,
    );
    const denied = visits.filter(visit => !isAllowed(visit)).length;
    await daemon.collect(line => line.event === 'decision' && line.action === 'deny', denied);
    await until('no flow is open', async () => {
      const open = ['web', 'proxy'].map(name =>
        daemon.metric('sallyport_open_flows', `{listener="${name}"}`),
      );
      return (await Promise.all(open)).every(count => count === 0);
    });
    const decisions = daemon.lines.filter(line => line.event === 'decision');
    await daemon.collect(line => line.event === 'close', decisions.length);
    for (const { decision } of pairRecords(daemon.lines)) {
      expect(decision.action).toBe(decision.hostname === 'denied.example' ? 'deny' : 'allow');
    }
    expect(decisions.filter(line => line.action === 'deny')).toHaveLength(denied);
  });

  const bodies: [string, (way: Way) => Promise<{ bytes: number; sha256: string }>][] = [
    ['down from nginx', way => download(way, 'nginx.example')],
    ['up to nginx', way => upload(way, 'nginx.example')],
    ['up to HAProxy', way => upload(way, 'haproxy.example')],
  ];

  test.each(bodies)('carries a large body %s in memory that stays flat', { timeout }, async (what, carry) => {
    const zeros = createHash('sha256');
    for (let done = 0; done < BULK_BYTES; done += MIB) zeros.update(Buffer.alloc(MIB));
    const before = usageOf(daemon.process.pid);
    let peak = before.rss;
    const sampling = setInterval(() => {
      peak = Math.max(peak, usageOf(daemon.process.pid).rss);
    }, 50);
    const result = await carry(straight());
    clearInterval(sampling);
    const cpu = usageOf(daemon.process.pid).cpuSeconds - before.cpuSeconds;
    if (isFull) {
      const figures = `${(before.rss / MIB).toFixed(0)} MiB before, ${(peak / MIB).toFixed(0)} at most, ${cpu.toFixed(2)} s CPU`;
      process.stderr.write(`${dataplane}, ${BULK_BYTES / MIB} MiB ${what}: ${figures}\n`);
    }
    expect(result).toEqual({ bytes: BULK_BYTES, sha256: zeros.digest('hex') });
    expect(peak - before.rss).toBeLessThan(96 * MIB);
  });

  const curl = (way: Way, host: string, path: string, more: readonly string[] = []) =>
    spawn('curl', [
      ...['--silent', '--show-error', '--noproxy', '*', '--connect-to', `::127.0.0.1:${way.port}`],
      ...more,
      `http://${host}${path}`,
    ]);

  async function download(way: Way, host: string): Promise<{ bytes: number; sha256: string }> {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of curl(way, host, '/bulk').stdout) {
      bytes += chunk.length;
      hash.update(chunk);
    }
    return { bytes, sha256: hash.digest('hex') };
  }

  async function upload(way: Way, host: string): Promise<{ bytes: number; sha256: string }> {
    const child = curl(way, host, '/sink', ['--request', 'POST', '--upload-file', farm.bulkFile]);
    const said: Buffer[] = [];
    child.stdout.on('data', chunk => said.push(chunk));
    await once(child, 'close');
    return JSON.parse(Buffer.concat(said).toString());
  }
});

/** Of a process with all its threads: resident bytes now, and CPU so far. */
function usageOf(pid: number | undefined): { rss: number; cpuSeconds: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const rss = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
  // Behind the name, which may hold spaces: fields 14 and 15 are utime and stime.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return { rss, cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND };
}
