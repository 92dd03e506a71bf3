import { join } from 'node:path';
import { Agent, LoadAgent } from './agent.ts';
import type { Cores } from './cores.ts';
import type { Target } from './load/orders.ts';
import type { Contestant } from './proxies/contestant.ts';
import { isInstalled, type LaunchOptions, launch, type Running } from './proxies/launch.ts';
import type { Scope } from './scope.ts';

const FIRST_PORT = 21_000;
/** Several addresses of a proxy keep the ports in TIME_WAIT apart. */
const LOOPBACK_HOSTS = Array.from({ length: 16 }, (_, i) => `127.0.0.${i + 1}`);

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

/** What every part of the bench plays on: cores, the load agent, a backend, and a place for files. */
export class Stage {
  readonly extent: Extent;
  readonly cores: Cores;
  readonly load: LoadAgent;
  readonly progress: (text: string) => void;
  readonly #dir: string;
  readonly #backendPort: number;
  #launched = 0;

  private constructor(options: StageOptions, load: LoadAgent, backendPort: number) {
    this.extent = options.extent;
    this.cores = options.cores;
    this.progress = options.progress;
    this.#dir = options.dir;
    this.load = load;
    this.#backendPort = backendPort;
  }

  static async set(scope: Scope, options: StageOptions): Promise<Stage> {
    const backend = new Agent('backend', options.cores.backend, { args: ['0.0.0.0'] });
    scope.add(() => backend.end());
    const { port } = await backend.message<{ port: number }>();
    const load = new Agent('load', options.cores.load);
    scope.add(() => load.end());
    return new Stage(options, new LoadAgent(load), port);
  }

  /** The backend itself. */
  direct(opening: Contestant['opening']): Target {
    const port = this.#backendPort;
    return { hosts: LOOPBACK_HOSTS, port, connectTo: opening === 'connect' ? port : null };
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

  /** Starts a proxy, to be stopped with the scope. */
  async start(scope: Scope, proxy: Contestant, options: Partial<LaunchOptions> = {}): Promise<Running> {
    const n = this.#launched++;
    const running = await launch(proxy, {
      dir: join(this.#dir, String(n)),
      cores: this.cores.proxy,
      port: FIRST_PORT + 2 * n,
      hosts: LOOPBACK_HOSTS,
      backend: { host: '127.0.0.1', port: this.#backendPort },
      ...options,
    });
    scope.add(() => running.stop());
    return running;
  }
}

export interface StageOptions {
  readonly extent: Extent;
  readonly cores: Cores;
  /** A temporary directory, whose owner removes it. */
  readonly dir: string;
  readonly progress: (text: string) => void;
}
