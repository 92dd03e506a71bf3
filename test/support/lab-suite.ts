import { afterAll, beforeAll, describe } from 'vitest';
import { type LogLine, TestDaemon } from './daemon.ts';
import { Lab, labObstacle, REDIRECT_PORT, V4, V6 } from './lab.ts';
import { LabClients } from './lab-clients.ts';
import { type LabServers, startServers } from './lab-servers.ts';

/** What the tests of a suite share. */
export class LabSuite {
  #lab: Lab | null = null;
  #servers: LabServers | null = null;

  get lab(): Lab {
    if (this.#lab === null) throw new Error('the lab stands only while the tests run');
    return this.#lab;
  }

  get clients(): LabClients {
    if (this.#servers === null) throw new Error('the servers run only while the tests run');
    return new LabClients(this.lab, this.#servers);
  }

  async open(rules?: string): Promise<void> {
    this.#lab = Lab.build(rules);
    this.#servers = await startServers(this.#lab);
  }

  close(): void {
    this.#servers?.close();
    this.#lab?.close();
  }
}

/** A `describe` with a lab of its own. Where none can be built it skips, and its name says why. */
export function describeInLab(name: string, body: (suite: LabSuite) => void, rules?: string): void {
  const obstacle = labObstacle();
  const title = obstacle === null ? name : `${name} (skipped: the network lab ${obstacle})`;
  describe.skipIf(obstacle !== null)(title, () => {
    const suite = new LabSuite();
    beforeAll(() => suite.open(rules));
    afterAll(() => suite.close());
    body(suite);
  });
}

export interface GatewayOptions {
  /** Of the transparent listener; both families by default. */
  readonly address?: string;
  /** More keys of the listener, or others. */
  readonly listener?: Readonly<Record<string, unknown>>;
  readonly destination?: 'resolve' | 'verify' | 'original';
  readonly limits?: Readonly<Record<string, unknown>>;
  readonly netfilter?: Readonly<Record<string, unknown>>;
  readonly policy: Readonly<Record<string, unknown>>;
}

/** allowed.example is at the site, twice.example at site and mirror, moved.example at the mirror only; plain.example speaks no TLS. */
const HOSTS = {
  'allowed.example': [V4.site, V6.site],
  'twice.example': [V4.site, V4.mirror, V6.site, V6.mirror],
  'moved.example': [V4.mirror, V6.mirror],
  'denied.example': [V4.site, V6.site],
  'plain.example': [V4.plain, V6.plain],
};

/** Starts a daemon in the gateway's room of a lab, with one transparent listener called `gw`. */
export function startGateway(lab: Lab, options: GatewayOptions): Promise<TestDaemon> {
  const { address = `[::]:${REDIRECT_PORT}`, destination, limits = {}, netfilter = {}, policy } = options;
  const listener = { name: 'gw', kind: 'transparent', intercept: 'redirect', address, ...options.listener };
  return TestDaemon.start({
    prefix: lab.prefix('gateway'),
    policy,
    config: {
      workers: 2,
      listeners: [destination === undefined ? listener : { ...listener, destination }],
      dns: { hosts: HOSTS },
      limits,
      netfilter,
    },
  });
}

/** A gateway that runs during the tests of the enclosing `describe`. */
export function useGateway(suite: LabSuite, options: GatewayOptions): () => TestDaemon {
  let daemon: TestDaemon | null = null;
  beforeAll(async () => {
    daemon = await startGateway(suite.lab, options);
  });
  afterAll(() => daemon?.stop());
  return () => {
    if (daemon === null) throw new Error('the gateway runs only while the tests run');
    return daemon;
  };
}

export interface FlowLog<T> {
  readonly result: T;
  readonly decision: LogLine;
  readonly close: LogLine;
}

/** Does `act`, which makes one flow, and waits for both its records, so that none is left for the next one. */
export async function flowOf<T>(daemon: TestDaemon, act: () => Promise<T>): Promise<FlowLog<T>> {
  const from = daemon.lines.length;
  const result = await act();
  const close = await daemon.line(line => line.event === 'close', from);
  const decision = await daemon.line(line => line.event === 'decision' && line.flow === close.flow, from);
  return { result, decision, close };
}
