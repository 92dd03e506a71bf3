import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { IpAddress } from '../../policy/address.ts';
import type { Policy } from '../../policy/policy.ts';
import { Counters } from '../counters.ts';
import { type DataPlane, type DataPlaneOptions, ListenError, listenFailure } from '../data-plane.ts';
import { flowIds, newRunId } from '../flow-id.ts';
import { affordableFlows } from '../flow-limit.ts';
import { FlowTable } from '../flow-table.ts';
import { makeGuard } from '../guard.ts';
import { type FlowReporter, Reporting } from '../reporting.ts';
import { SourceCounts } from '../source-counts.ts';
import { nodeTimers } from '../timers.ts';
import type { Endpoint, RelayedBytes } from '../wire.ts';
import type { NodeAttempt } from './node-attempt.ts';
import { NodeWire } from './node-wire.ts';

/** `R` is what the observer of flows reports. */
export interface PortablePlaneOptions<R> extends DataPlaneOptions {
  readonly reporter: FlowReporter<R>;
  readonly onReport: (report: R) => void;
}

/** Starts the data plane of any system: `node:net` on the main thread. No transparent listeners. Throws ListenError. */
export async function startPortablePlane<R>(options: PortablePlaneOptions<R>): Promise<DataPlane> {
  const transparent = options.listeners.find(({ listener }) => listener.kind === 'transparent');
  if (transparent !== undefined) {
    throw new ListenError(
      `listener ${transparent.listener.name}: the portable data plane has no transparent listeners (use dataplane: epoll, on Linux)`,
    );
  }
  const plane = new PortablePlane(options);
  await plane.listen();
  return plane;
}

class PortablePlane<R> implements DataPlane {
  readonly kind = 'portable';
  readonly workers = 1;
  readonly flowLimit: number;
  readonly #options: PortablePlaneOptions<R>;
  readonly #counters: Counters;
  readonly #reporting: Reporting<R>;
  readonly #servers: { readonly name: string; readonly server: Server; readonly address: Endpoint }[] = [];
  #flows: FlowTable<NodeAttempt> | null = null;
  #policy: Policy;
  #lastFlowEnded: () => void = () => {};

  constructor(options: PortablePlaneOptions<R>) {
    this.#options = options;
    this.#policy = options.policy;
    this.flowLimit = options.flowLimit === 'auto' ? affordableFlows() : options.flowLimit;
    this.#counters = Counters.create(1, options.listeners.length);
    this.#reporting = new Reporting(options.reporter, nodeTimers, options.onReport);
  }

  get listening(): readonly { name: string; address: Endpoint }[] {
    return this.#servers.map(({ name, address }) => ({ name, address }));
  }

  /** Binds all listeners, then begins to serve: the guard has to know every address first. */
  async listen(): Promise<void> {
    const { listeners, ownAddresses, guard, settings, resolver, flowsPerSource } = this.#options;
    try {
      for (const { listener, address } of listeners) {
        const server = await listenOn(listener.name, address);
        this.#servers.push({ name: listener.name, server, address: boundTo(server) });
      }
    } catch (error) {
      for (const { server } of this.#servers) server.close();
      throw error;
    }
    const own = [...this.listening.map(({ address }) => address), ...ownAddresses];
    const flows = new FlowTable<NodeAttempt>({
      world: {
        settings,
        resolver,
        guard: makeGuard(
          guard,
          own.map(({ ip, port }) => ({ ip: ip.toString(), port })),
        ),
        timers: nodeTimers,
        observer: {
          decided: event => this.#reporting.decided(event),
          closed: event => {
            this.#reporting.closed(event);
            setImmediate(() => this.#lastFlowEnded());
          },
        },
        policy: () => this.#policy,
        nextFlowId: flowIds(`${newRunId()}0-`),
      },
      counters: this.#counters,
      own: this.#counters.worker(0),
      sources: new SourceCounts(),
      flowLimit: this.flowLimit,
      flowsPerSource,
    });
    this.#flows = flows;
    this.#servers.forEach(({ server }, index) => {
      const listener = listeners[index]?.listener;
      if (listener === undefined) return;
      server.on('connection', socket => {
        const client = peerOf(socket);
        if (client === null) socket.destroy();
        else flows.serve(this.#wire(socket, client), listener, index);
      });
    });
  }

  setPolicy(policy: Policy): void {
    this.#policy = policy;
  }

  openFlows(listener: string): number {
    return this.#counters.openFlows(this.#servers.findIndex(({ name }) => name === listener));
  }

  bytes(): RelayedBytes {
    return this.#counters.bytes();
  }

  async drain(timeoutMs: number): Promise<void> {
    for (const { server } of this.#servers) server.close();
    await this.#ended(timeoutMs);
    this.#reporting.flush();
  }

  /** Resolves when the last flow has ended; after `timeoutMs` they are ended. */
  async #ended(timeoutMs: number): Promise<void> {
    const flows = this.#flows;
    if (flows === null || flows.size === 0) return;
    const abandon = setTimeout(() => flows.abandonAll('drained'), timeoutMs);
    await new Promise<void>(resolve => {
      this.#lastFlowEnded = () => {
        if (flows.size === 0) resolve();
      };
    });
    clearTimeout(abandon);
  }

  #wire(socket: Socket, client: Endpoint): NodeWire {
    const { idleTimeoutMs, halfClosedTimeoutMs } = this.#options.settings;
    const moved = this.#counters.worker(0).moved;
    return new NodeWire({ socket, client, idleTimeoutMs, halfClosedTimeoutMs, moved });
  }
}

/** Null when the peer is gone already. */
function peerOf(socket: Socket): Endpoint | null {
  const ip = IpAddress.parse(socket.remoteAddress ?? '');
  return ip === null || socket.remotePort === undefined ? null : { ip, port: socket.remotePort };
}

async function listenOn(name: string, { ip, port }: Endpoint): Promise<Server> {
  const server = createServer({
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 120_000,
  });
  server.listen({ host: ip.toString(), port });
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new ListenError(listenFailure(name, { ip, port }, (error as NodeJS.ErrnoException).code), {
      cause: error,
    });
  }
  return server;
}

function boundTo(server: Server): Endpoint {
  const address = server.address();
  const ip = address === null || typeof address === 'string' ? null : IpAddress.parse(address.address);
  if (ip === null || address === null || typeof address === 'string')
    throw new Error('the server is not listening');
  return { ip, port: address.port };
}
