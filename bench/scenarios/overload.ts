import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent } from '../agent.ts';
import { type Attack, RAMP_MS } from '../load/attacks.ts';
import { memoryOf } from '../measure/memory.ts';
import type { Contestant } from '../proxies/contestant.ts';
import type { Running } from '../proxies/launch.ts';
import { figure, type Table } from '../report/section.ts';
import type { Stage } from '../stage.ts';

/** Of fresh flows from another source. */
const FLOWS_PER_SECOND = 200;

interface Case {
  readonly name: string;
  readonly attack: Omit<Attack, 'port'> | null;
}

const CASES: readonly Case[] = [
  { name: 'undisturbed', attack: null },
  { name: '5 000 slow heads of one source', attack: { kind: 'slowHeads', connections: 5_000, sources: 1 } },
  { name: '5 000 slow heads of 60 sources', attack: { kind: 'slowHeads', connections: 5_000, sources: 60 } },
  {
    name: '5 000 silent clients of 60 sources',
    attack: { kind: 'silence', connections: 5_000, sources: 60 },
  },
  { name: 'random names, one source', attack: { kind: 'randomNames', connections: 32, sources: 1 } },
  { name: '200 clients that never read', attack: { kind: 'neverReads', connections: 200, sources: 4 } },
  { name: '200 clients that reset', attack: { kind: 'resets', connections: 200, sources: 4 } },
];

/** What becomes of fresh flows, of memory and of what is said, while somebody attacks. */
export function measureOverload(stage: Stage, proxy: Contestant): Promise<Table[]> {
  return stage.scope.within(async scope => {
    const rows = [];
    for (const { name, attack } of CASES) {
      stage.progress(name);
      const running = await stage.start(scope, proxy);
      const { target } = running;
      await stage.load.flows({ type: 'closed', target, flows: stage.size(5_000, 100), concurrency: 32 });
      const before = await stateOf(running);
      const attacker = new Agent('attack', stage.options.cores.load);
      scope.add(() => attacker.end());
      const scale = stage.size(1, 0.05);
      if (attack !== null) {
        const connections = Math.ceil(attack.connections * scale);
        attacker.send({ ...attack, connections, port: target.port } satisfies Attack);
        await sleep(RAMP_MS * scale);
      }
      const { latencyUs, failed, flows } = await stage.load.flows({
        type: 'open',
        target,
        flowsPerSecond: stage.extent.rate ?? FLOWS_PER_SECOND,
        seconds: stage.size(60, 1),
      });
      const after = await stateOf(running);
      rows.push([
        name,
        figure([latencyUs.p50 / 1000], 2),
        figure([latencyUs.p99 / 1000], 2),
        figure([latencyUs.max / 1000], 2),
        `${failed} of ${flows}`,
        attack === null ? '' : String(await connectionsOf(attacker)),
        `${(before.rssKib / 1024).toFixed(0)} → ${(after.rssKib / 1024).toFixed(0)}`,
        `${before.metricsBytes} → ${after.metricsBytes}`,
        String(after.lines - before.lines),
      ]);
      await attacker.end();
      await running.stop();
    }
    return [
      {
        caption:
          'Fresh flows from another source, open loop: scheduled start to the first byte of the answer, in ms. Lines: those of the log meanwhile, of which a fresh flow has two unless it is folded.',
        head: [
          '',
          'p50',
          'p99',
          'longest',
          'failed',
          'connections made',
          'RSS, MiB',
          '/metrics, bytes',
          'lines',
        ],
        rows,
      },
    ];
  });
}

async function connectionsOf(attacker: Agent): Promise<number> {
  attacker.send({});
  return (await attacker.message<{ made: number }>()).made;
}

async function stateOf({ pid, adminPort, dir }: Running) {
  const metrics = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  const log = join(dir, 'stdout.log');
  const lines = statSync(log).size === 0 ? 0 : readFileSync(log, 'latin1').split('\n').length - 1;
  return { rssKib: memoryOf(pid).rss, metricsBytes: metrics.length, lines };
}
