import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { pinned } from './cores.ts';
import type { BulkResult, FlowsResult, LoadOrder, LoadReport, Target } from './load/orders.ts';

export type AgentName = 'attack' | 'backend' | 'load' | 'tls-backend' | 'tls-load';

/** A process of ours that takes part in a run, pinned to its cores; `prefix` goes before it (`ip netns exec NAME`). */
export class Agent {
  readonly #child: ChildProcess;
  readonly #name: string;

  constructor(
    name: AgentName,
    cores: readonly number[],
    { args = [], prefix = [] }: { args?: readonly string[]; prefix?: readonly string[] } = {},
  ) {
    const [command = '', ...rest] = [...prefix, ...pinned(cores), process.execPath];
    const file = fileURLToPath(new URL(`./agents/${name}.js`, import.meta.url));
    this.#name = name;
    this.#child = fork(file, [...args], { execPath: command, execArgv: rest });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  send(message: object): void {
    this.#child.send(message);
  }

  /** The next message. Rejects when it ends without one. */
  async message<T>(): Promise<T> {
    const ended = new AbortController();
    const { signal } = ended;
    try {
      const [message] = await Promise.race([
        once(this.#child, 'message', { signal }),
        once(this.#child, 'exit', { signal }).then(([code, killedBy]) => {
          throw new Error(`the ${this.#name} agent ended (${code ?? killedBy})`);
        }),
      ]);
      return message;
    } finally {
      ended.abort();
    }
  }

  async end(): Promise<void> {
    await endOf(this.#child);
  }
}

/** Short flows and bulk, on order. */
export class LoadAgent {
  readonly #agent: Agent;

  constructor(agent: Agent) {
    this.#agent = agent;
  }

  async flows(order: Extract<LoadOrder, { type: 'closed' | 'open' | 'hold' }>): Promise<FlowsResult> {
    const report = await this.#done(order);
    if (report.type !== 'flows') throw new Error(`the load agent answered ${report.type}`);
    return report.result;
  }

  async bulk(order: Extract<LoadOrder, { type: 'bulk' }>): Promise<BulkResult> {
    const report = await this.#done(order);
    if (report.type !== 'bulk') throw new Error(`the load agent answered ${report.type}`);
    return report.result;
  }

  async isAnswered(target: Target): Promise<boolean> {
    const report = await this.#done({ type: 'probe', target });
    return report.type === 'probed' && report.isAnswered;
  }

  async release(): Promise<void> {
    await this.#done({ type: 'release' });
  }

  async #done(order: LoadOrder): Promise<LoadReport> {
    this.#agent.send(order);
    const report = await this.#agent.message<LoadReport>();
    if (report.type === 'failed') throw new Error(report.message);
    return report;
  }
}

/** Ends a process and waits until it has. */
export async function endOf(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  child.kill(signal);
  await once(child, 'exit');
}
