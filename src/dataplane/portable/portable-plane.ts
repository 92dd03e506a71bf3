import type { Socket } from 'node:net';
import { setImmediate as afterPoll } from 'node:timers/promises';
import { IpAddress } from '../../policy/address.ts';
import type { Policy } from '../../policy/policy.ts';
import { TcpAddresses } from '../../policy/tcp-addresses.ts';
import { systemClock } from '../clock.ts';
import { Counters } from '../counters.ts';
import { type DataPlane, type DataPlaneOptions, ListenError } from '../data-plane.ts';
import { affordableFlows } from '../descriptors.ts';
import type { Connect } from '../dial.ts';
import { flowIds, newRunId } from '../flow-id.ts';
import { FlowTable } from '../flow-table.ts';
import { makeGuard } from '../guard.ts';
import { HandedFlows } from '../http/handed-flows.ts';
import type { HttpWorld } from '../http/http-world.ts';
import type { Listener } from '../listener.ts';
import { Openings } from '../openings.ts';
import { type FlowReporter, Reporting } from '../reporting.ts';
import { SourceCounts } from '../source-counts.ts';
import { nodeTimers } from '../timers.ts';
import type { Endpoint, RelayedBytes } from '../wire.ts';
import { NodeAttempt } from './node-attempt.ts';
import { listenOnAll, type NodeListener } from './node-listeners.ts';
import { NodeWire } from './node-wire.ts';
import { PortableDescriptors } from './portable-descriptors.ts';

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
  readonly servingWorkers = 1;
  readonly flowLimit: number;
  /** Node keeps them to itself. */
  readonly descriptors = [];
  readonly #options: PortablePlaneOptions<R>;
  readonly #counters: Counters;
  readonly #reporting: Reporting<R>;
  #listeners: readonly NodeListener[] = [];
  readonly #descriptors: PortableDescriptors;
  #flows: FlowTable<NodeAttempt> | null = null;
  #handed: HandedFlows | null = null;
  #policy: Policy;
  #tcpAddresses = TcpAddresses.none();
  #lastFlowEnded: () => void = () => {};

  constructor(options: PortablePlaneOptions<R>) {
    this.#options = options;
    this.#policy = options.policy;
    this.flowLimit = options.flowLimit === 'auto' ? affordableFlows() : options.flowLimit;
    this.#descriptors = new PortableDescriptors(options.onDescriptors);
    this.#counters = Counters.create(1, options.listeners.length);
    this.#reporting = new Reporting(options.reporter, nodeTimers, options.onReport);
  }

  get listening(): readonly { name: string; address: Endpoint }[] {
    return this.#listeners.map(({ name, address }) => ({ name, address }));
  }

  /** Binds all listeners, then begins to serve: the guard has to know every address first. */
  async listen(): Promise<void> {
    const { ownAddresses, guard, settings, resolver, flowsPerSource, gateway } = this.#options;
    this.#listeners = await listenOnAll(this.#options, (socket, listener, index) =>
      this.#accept(socket, listener, index),
    );
    const own = [...this.listening.map(({ address }) => address), ...ownAddresses];
    const world: HttpWorld = {
      settings,
      resolver,
      guard: makeGuard(
        guard,
        own.map(({ ip, port }) => ({ ip: ip.toString(), port })),
      ),
      clock: systemClock,
      timers: nodeTimers,
      observer: {
        decided: event => this.#reporting.decided(event),
        closed: event => {
          this.#reporting.closed(event);
          setImmediate(() => this.#lastFlowEnded());
        },
      },
      openings: new Openings(
        {
          counters: this.#counters,
          own: this.#counters.worker(0),
          sources: SourceCounts.create(1).worker(0),
        },
        this.#options.openings,
      ),
      policy: () => this.#policy,
      tcpAddresses: () => this.#tcpAddresses,
      nextFlowId: flowIds(`${newRunId()}0-`),
      gateway,
      connectFor: () => connect,
      moved: this.#counters.worker(0).moved,
    };
    this.#flows = new FlowTable<NodeAttempt>({
      world,
      counters: this.#counters,
      own: this.#counters.worker(0),
      sources: SourceCounts.create(1).worker(0),
      flowLimit: this.flowLimit,
      flowsPerSource,
    });
    this.#handed = new HandedFlows(world, this.#flows, () => connect);
  }

  setPolicy(policy: Policy): void {
    this.#policy = policy;
    this.#flows?.policyChanged();
    this.#handed?.policyChanged();
  }

  setTcpAddresses(addresses: TcpAddresses): void {
    this.#tcpAddresses = addresses;
  }

  get undecidedFlows(): number {
    return this.#counters.allAwaited();
  }

  openFlows(listener: string): number {
    return this.#counters.openFlows(this.#listeners.findIndex(({ name }) => name === listener));
  }

  bytes(): RelayedBytes {
    return this.#counters.bytes();
  }

  async drain(timeoutMs: number): Promise<number> {
    // Right after the poll, which has accepted what was queued: what a closed socket queues is reset.
    await afterPoll();
    for (const { servers } of this.#listeners) for (const server of servers) server.close();
    this.#handed?.drain();
    const cut = await this.#ended(timeoutMs);
    this.#descriptors.stop();
    this.#reporting.finish();
    return cut;
  }

  /** Resolves when the last flow has ended; after `timeoutMs` they are ended, and counted. */
  async #ended(timeoutMs: number): Promise<number> {
    const flows = this.#flows;
    if (flows === null || flows.size === 0) return 0;
    let cut = 0;
    const abandon = setTimeout(() => {
      cut = this.#counters.allOpenFlows();
      flows.abandonAll('drained');
      this.#handed?.abandonAll();
    }, timeoutMs);
    await new Promise<void>(resolve => {
      this.#lastFlowEnded = () => {
        if (flows.size === 0) resolve();
      };
    });
    clearTimeout(abandon);
    return cut;
  }

  #accept(socket: Socket, listener: Listener, index: number): void {
    const client = peerOf(socket);
    if (this.#flows === null || client === null) {
      socket.destroy();
      return;
    }
    if (!this.#descriptors.admits() || !this.#flows.admits(client, listener)) {
      socket.resetAndDestroy();
      return;
    }
    const { idleTimeoutMs, halfClosedTimeoutMs } = this.#options.settings;
    const { moved } = this.#counters.worker(0);
    this.#flows.serve(
      new NodeWire({
        connect,
        socket,
        client,
        originalDestination: null,
        idleTimeoutMs,
        halfClosedTimeoutMs,
        moved,
        handOver: (opening, speaker, done) => {
          const over = () => {
            done();
            this.#lastFlowEnded();
          };
          this.#handed?.serve({
            socket,
            opening,
            listener,
            client: speaker,
            originalDestination: null,
            over,
          });
        },
      }),
      listener,
      index,
    );
  }
}

const connect: Connect<NodeAttempt> = (ip, port, settle) => new NodeAttempt(ip, port, settle);

/** Null when the peer is gone already. */
function peerOf(socket: Socket): Endpoint | null {
  // A link-local peer's address carries its zone.
  const ip = IpAddress.parse(socket.remoteAddress?.split('%')[0] ?? '');
  return ip === null || socket.remotePort === undefined ? null : { ip, port: socket.remotePort };
}
