import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Load, LoadResult } from './agents/load.ts';
import { cpuSeconds, endOf, messageOf, startAgent } from './process.ts';
import { type Contestant, isInstalled, PROXIES, startProxy } from './proxies.ts';
import { quantile, spread } from './statistics.ts';

const PROXY_CORE = 0;
const LOAD_CORE = 1;
const FIRST_PORT = 21_000;

const HELP = `Usage: npm run bench -- [--quick] [--rounds N]

Measures CPU per short flow and per GB relayed of sallyport beside HAProxy, nginx and sniproxy, where they are
installed: the same load and backend for all, one core for the proxy and another for the load, rounds interleaved.
--quick: one small round, to see that it works; its figures mean nothing.
`;

interface Figures {
  readonly cpuUsPerFlow: number[];
  readonly flowsPerSecond: number[];
  readonly p99Us: number[];
  readonly cpuSecondsPerGb: number[];
  readonly gbPerSecond: number[];
}

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    help: { type: 'boolean' },
  },
});
if (values.help) {
  process.stdout.write(HELP);
} else {
  await bench({
    rounds: values.quick ? 1 : Number(values.rounds),
    flows: values.quick ? 2_000 : 30_000,
    mib: values.quick ? 128 : 4_096,
  });
}

async function bench(size: { rounds: number; flows: number; mib: number }): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
  const backend = startAgent('backend', LOAD_CORE);
  const { port } = await messageOf<{ port: number }>(backend);
  const missing = PROXIES.filter(proxy => !isInstalled(proxy)).map(({ name }) => name);
  if (missing.length > 0) process.stderr.write(`not installed, left out: ${missing.join(', ')}\n`);
  const contestants = PROXIES.filter(isInstalled);
  const figures = new Map(contestants.map(({ name }) => [name, emptyFigures()]));
  try {
    for (let round = 1; round <= size.rounds; round++) {
      for (const [i, proxy] of contestants.entries()) {
        process.stderr.write(`round ${round} of ${size.rounds}: ${proxy.name}\n`);
        const into = figures.get(proxy.name) ?? emptyFigures();
        await measure(proxy, { dir, port: FIRST_PORT + i, backend: port, ...size }, into);
      }
    }
  } finally {
    await endOf(backend);
    rmSync(dir, { recursive: true, force: true });
  }
  process.stdout.write(formatTable(figures));
}

async function measure(
  proxy: Contestant,
  options: { dir: string; port: number; backend: number; flows: number; mib: number },
  into: Figures,
): Promise<void> {
  const child = await startProxy(proxy, { ...options, core: PROXY_CORE });
  const pid = child.pid ?? 0;
  const { port, flows, mib } = options;
  try {
    await run({ kind: 'short', port, flows: Math.ceil(flows / 5), concurrency: 64 });
    const short = await measured(pid, { kind: 'short', port, flows, concurrency: 64 });
    into.cpuUsPerFlow.push((short.cpu * 1e6) / short.result.flows);
    into.flowsPerSecond.push(short.result.flows / short.result.seconds);
    into.p99Us.push(quantile(short.result.latenciesUs, 0.99));
    const bulk = await measured(pid, { kind: 'bulk', port, mib });
    const gb = bulk.result.bytes / 1e9;
    into.cpuSecondsPerGb.push(bulk.cpu / gb);
    into.gbPerSecond.push(gb / bulk.result.seconds);
  } finally {
    await endOf(child);
  }
}

async function measured(pid: number, load: Load): Promise<{ cpu: number; result: LoadResult }> {
  const before = cpuSeconds(pid);
  const result = await run(load);
  const after = cpuSeconds(pid);
  return { cpu: after.user + after.system - before.user - before.system, result };
}

async function run(load: Load): Promise<LoadResult> {
  const agent = startAgent('load', LOAD_CORE, [JSON.stringify(load)]);
  const result = await messageOf<LoadResult>(agent);
  await endOf(agent);
  if (result.failed > 0) throw new Error(`${result.failed} of ${result.flows} flows failed`);
  return result;
}

function emptyFigures(): Figures {
  return { cpuUsPerFlow: [], flowsPerSecond: [], p99Us: [], cpuSecondsPerGb: [], gbPerSecond: [] };
}

function formatTable(figures: ReadonlyMap<string, Figures>): string {
  const rows = [...figures].map(([name, f]) => [
    name,
    spread(f.cpuUsPerFlow, 1),
    spread(f.flowsPerSecond, 0),
    spread(f.p99Us, 0),
    spread(f.cpuSecondsPerGb, 2),
    spread(f.gbPerSecond, 2),
  ]);
  const head = ['median (range)', 'CPU µs/flow', 'flows/s', 'p99 µs', 'CPU s/GB', 'GB/s'];
  const lines = [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`);
  return `${lines.join('\n')}\n`;
}
