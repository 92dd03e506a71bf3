import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, LoadAgent } from './agent.ts';
import type { Cores } from './cores.ts';
import type { Target } from './load/orders.ts';
import { type Activity, startActivityClock } from './measure/activity.ts';
import type { Contestant } from './proxies/contestant.ts';
import { isInstalled, type LaunchOptions, launch, type Running } from './proxies/launch.ts';
import type { Scope } from './scope.ts';

const FIRST_PORT = 21_000;
/** Several addresses of a proxy keep the ports in TIME_WAIT apart. */
const LOOPBACK_HOSTS = Array.from({ length: 16 }, (_, i) => `127.0.0.${i + 1}`);
/** A measurement during which other programs had more of a core than this is taken again, */
const MAX_OTHERS_SHARE = 0.25;
/** so many times, */
const MAX_REPEATS = 2;
/** after a moment in which they may end. */
const REPEAT_PAUSE_MS = 1_000;

/** How much is measured. */
export interface Extent {
  readonly rounds: number;
  /** Just enough to see that everything works. */
  readonly isQuick: boolean;
  /** The rate of open loops in flows a second; null: found from what the proxies can do. */
  readonly rate: number | null;
  /** Only proxies whose names contain one of these; none: all. */
  readonly proxies: readonly string[];
}

export interface StageOptions {
  readonly extent: Extent;
  readonly cores: Cores;
  /** A temporary directory, whose owner removes it. */
  readonly dir: string;
  readonly progress: (text: string) => void;
}

/** Where the actors are: on this machine's loopback, or in network namespaces. */
export interface Place {
  /** Go before the commands of load, backend and proxies: `ip netns exec NAME`. */
  readonly load: readonly string[];
  readonly backend: readonly string[];
  readonly proxy: readonly string[];
  /** 0: any that is free. */
  readonly backendPort: number;
  /** The backend's addresses, as the load sees them. */
  readonly hosts: readonly string[];
}

const LOOPBACK: Place = { load: [], backend: [], proxy: [], backendPort: 0, hosts: LOOPBACK_HOSTS };

/** What every part of the bench plays on: cores, the load agent, a backend, and a place for files. */
export class Stage {
  readonly options: StageOptions;
  /** What is started for a while is ended with this at the latest. */
  readonly scope: Scope;
  readonly load: LoadAgent;
  readonly #agents: Agent[];
  readonly #place: Place;
  readonly #backendPort: number;
  #ports = FIRST_PORT;

  private constructor(
    scope: Scope,
    options: StageOptions,
    place: Place,
    { load, backend, backendPort }: { load: Agent; backend: Agent; backendPort: number },
  ) {
    this.scope = scope;
    this.options = options;
    this.load = new LoadAgent(load);
    this.#agents = [load, backend];
    this.#place = place;
    this.#backendPort = backendPort;
  }

  static async set(scope: Scope, options: StageOptions, place = LOOPBACK): Promise<Stage> {
    const { cores } = options;
    const args = ['0.0.0.0', String(place.backendPort)];
    const backend = new Agent('backend', cores.backend, { args, prefix: place.backend });
    scope.add(() => backend.end());
    const { port } = await backend.message<{ port: number }>();
    const load = new Agent('load', cores.load, { prefix: place.load });
    scope.add(() => load.end());
    return new Stage(scope, options, place, { load, backend, backendPort: port });
  }

  get extent(): Extent {
    return this.options.extent;
  }

  /** `full`, or `quick` where it is only to be seen that things work. */
  size(full: number, quick: number): number {
    return this.extent.isQuick ? quick : full;
  }

  progress(text: string): void {
    this.options.progress(text);
  }

  /** The backend itself. */
  direct(opening: Contestant['opening']): Target {
    const port = this.#backendPort;
    return { hosts: this.#place.hosts, port, connectTo: opening === 'connect' ? port : null };
  }

  /** Those of `proxies` that are asked for and installed. */
  cast(proxies: readonly Contestant[]): Contestant[] {
    const wanted = this.extent.proxies;
    return proxies
      .filter(({ name }) => wanted.length === 0 || wanted.some(part => name.includes(part)))
      .filter(proxy => {
        const isThere = isInstalled(proxy);
        if (!isThere) this.progress(`${proxy.name} is left out: there is no ${proxy.binary}`);
        return isThere;
      });
  }

  /** Counts an agent of a scenario's own among the load. */
  enlist(agent: Agent): void {
    this.#agents.push(agent);
  }

  /** A port that no proxy of this stage has had, nor the next two. */
  freePort(): number {
    const port = this.#ports;
    this.#ports += 3;
    return port;
  }

  /** Starts a proxy, to be stopped with the scope. */
  async start(scope: Scope, proxy: Contestant, options: Partial<LaunchOptions> = {}): Promise<Running> {
    const running = await launch(proxy, {
      dir: mkdtempSync(join(this.options.dir, 'proxy-')),
      cores: this.options.cores.proxy,
      port: this.freePort(),
      hosts: LOOPBACK_HOSTS,
      prefix: this.#place.proxy,
      backend: { host: '127.0.0.1', port: this.#backendPort },
      isAnswered: target => this.load.isAnswered(target),
      ...options,
    });
    scope.add(() => running.stop());
    return running;
  }

  /**
   * Runs `work` and says who used the cores meanwhile. Where other programs did, it is run again, and the least
   * disturbed run counts.
   */
  async watch<T>(
    running: Running | null,
    work: () => Promise<T>,
  ): Promise<{ result: T; activity: Activity }> {
    const repeats = this.extent.isQuick ? 0 : MAX_REPEATS;
    let best = await this.#watchOnce(running, work);
    for (let i = 0; i < repeats && best.activity.othersShare > MAX_OTHERS_SHARE; i++) {
      this.progress(`disturbed (${(best.activity.othersShare * 100).toFixed(0)} % of a core), again`);
      await sleep(REPEAT_PAUSE_MS);
      const next = await this.#watchOnce(running, work);
      if (next.activity.othersShare < best.activity.othersShare) best = next;
    }
    return best;
  }

  async #watchOnce<T>(running: Running | null, work: () => Promise<T>) {
    const { cores } = this.options;
    const activity = startActivityClock({
      proxy: running?.pid ?? null,
      load: this.#agents.map(({ pid }) => pid),
      cores: [...new Set(Object.values(cores).flat())],
    });
    const result = await work();
    const went = { result, activity: activity() };
    running?.trimLog();
    return went;
  }
}
