import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Agent } from '../agent.ts';
import { BENCH_NAME } from '../load/conversation.ts';
import type { Target } from '../load/orders.ts';
import type { TlsOrder, TlsReport, TlsResult } from '../load/tls-orders.ts';
import { type CpuTime, totalOf } from '../measure/cpu.ts';
import { median } from '../measure/statistics.ts';
import type { Contestant } from '../proxies/contestant.ts';
import type { Running } from '../proxies/launch.ts';
import { figure, type Table } from '../report/section.ts';
import { inRounds } from '../rounds.ts';
import type { Scope } from '../scope.ts';
import type { Stage } from '../stage.ts';

const CONCURRENCY = 16;
const KINDS = [
  { resume: false, caption: 'Full handshakes.' },
  { resume: true, caption: 'Every session resumed.' },
] as const;

interface Player {
  readonly name: string;
  readonly running: Running | null;
  readonly target: Target;
}

interface Figures {
  readonly perSecond: number[];
  readonly cpuUs: number[];
  readonly p50Us: number[];
  readonly p99Us: number[];
}

/** Flows of a real TLS stack, so that what a proxy adds stands beside what TLS itself costs. */
export function measureTls(stage: Stage, proxies: readonly Contestant[]): Promise<Table[]> {
  return stage.scope.within(async scope => {
    const { load, backendPort } = await startEnds(scope, stage);
    const warmUp = async (target: Target) => {
      for (const { resume } of KINDS) {
        await load.run({ target, flows: stage.size(1_000, 10), concurrency: CONCURRENCY, resume });
      }
    };
    const players: Player[] = [
      {
        name: 'no proxy',
        running: null,
        target: { hosts: ['127.0.0.1'], port: backendPort, connectTo: null },
      },
    ];
    const backend = { host: '127.0.0.1', port: backendPort };
    for (const { target } of players) await warmUp(target);
    for (const proxy of stage.cast(proxies)) {
      stage.progress(`${proxy.name}: starting and warming up`);
      const isAnswered = async (target: Target) =>
        (await load.try({ target, flows: 1, concurrency: 1, resume: false })) !== null;
      const running = await stage.start(scope, proxy, { backend, isAnswered });
      players.push({ name: proxy.name, running, target: running.target });
      await warmUp(running.target);
    }
    const tables: Table[] = [];
    for (const { resume, caption } of KINDS) {
      const all = players.map(player => ({ ...player, ...emptyFigures() }));
      await inRounds(stage.extent.rounds, all, async (who, round) => {
        stage.progress(`${who.name}: ${caption} Round ${round} of ${stage.extent.rounds}`);
        const { target } = who;
        const many = { target, flows: stage.size(1_000, 40), concurrency: CONCURRENCY, resume };
        const { result, activity } = await stage.watch(who.running, () => load.run(many));
        who.perSecond.push(result.flows / result.seconds);
        who.cpuUs.push(perFlow(activity.proxy, result));
        const alone = { target, flows: stage.size(300, 20), concurrency: 1, resume };
        const { handshakeUs } = (await stage.watch(who.running, () => load.run(alone))).result;
        who.p50Us.push(handshakeUs.p50);
        who.p99Us.push(handshakeUs.p99);
      });
      tables.push(table(caption, all));
    }
    return tables;
  });
}

function emptyFigures(): Figures {
  return { perSecond: [], cpuUs: [], p50Us: [], p99Us: [] };
}

function perFlow(cpu: CpuTime | null, { flows }: TlsResult): number {
  return cpu === null ? Number.NaN : (totalOf(cpu) * 1e6) / flows;
}

function table(caption: string, players: readonly (Player & Figures)[]): Table {
  const direct = median(players[0]?.p50Us ?? []);
  return {
    caption,
    head: [
      '',
      `handshakes/s, ${CONCURRENCY} at a time`,
      "proxy's CPU µs/flow",
      'alone: p50 ms',
      'p99 ms',
      'added to p50, ms',
    ],
    rows: players.map(({ name, running, perSecond, cpuUs, p50Us, p99Us }) => [
      name,
      figure(perSecond, 0),
      figure(cpuUs, 1),
      figure(milliseconds(p50Us), 2),
      figure(milliseconds(p99Us), 2),
      running === null ? '–' : figure(milliseconds(p50Us.map(us => us - direct)), 2),
    ]),
  };
}

function milliseconds(us: readonly number[]): number[] {
  return us.map(value => value / 1000);
}

interface TlsLoad {
  /** Rejects when a flow fails. */
  run(order: TlsOrder): Promise<TlsResult>;
  /** Null when a flow fails. */
  try(order: TlsOrder): Promise<TlsResult | null>;
}

async function startEnds(scope: Scope, stage: Stage): Promise<{ load: TlsLoad; backendPort: number }> {
  const { cores, dir } = stage.options;
  const { cert, key } = makeCertificate(dir);
  const backend = new Agent('tls-backend', cores.backend, { args: [cert, key] });
  scope.add(() => backend.end());
  const { port } = await backend.message<{ port: number }>();
  const load = new Agent('tls-load', cores.load, { args: [cert] });
  scope.add(() => load.end());
  for (const agent of [backend, load]) stage.enlist(agent);
  const report = (order: TlsOrder) => {
    load.send(order);
    return load.message<TlsReport>();
  };
  return {
    backendPort: port,
    load: {
      async run(order) {
        const said = await report(order);
        if (said.type === 'failed') throw new Error(said.message);
        return said.result;
      },
      async try(order) {
        const said = await report(order);
        return said.type === 'done' ? said.result : null;
      },
    },
  };
}

function makeCertificate(dir: string): { cert: string; key: string } {
  const [cert, key] = [join(dir, 'certificate.pem'), join(dir, 'key.pem')];
  const subject = ['-subj', `/CN=${BENCH_NAME}`, '-addext', `subjectAltName=DNS:${BENCH_NAME}`];
  const algorithm = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  execFileSync('openssl', ['req', '-x509', ...algorithm, ...subject, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  });
  return { cert, key };
}
