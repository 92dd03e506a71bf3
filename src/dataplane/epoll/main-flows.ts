import { Socket } from 'node:net';
import type { Policy } from '../../policy/policy.ts';
import { TcpAddresses } from '../../policy/tcp-addresses.ts';
import { systemClock } from '../clock.ts';
import type { Counters, WorkerCounters } from '../counters.ts';
import type { DataPlaneOptions } from '../data-plane.ts';
import type { Connect } from '../dial.ts';
import { flowIds } from '../flow-id.ts';
import { FlowTable } from '../flow-table.ts';
import { makeGuard, type PlainEndpoint } from '../guard.ts';
import { HandedFlows } from '../http/handed-flows.ts';
import type { HttpOrigin, HttpWorld } from '../http/http-world.ts';
import { recordUnnamed } from '../http/refusal.ts';
import { Openings } from '../openings.ts';
import { NodeAttempt } from '../portable/node-attempt.ts';
import { type FlowReporter, Reporting } from '../reporting.ts';
import type { WorkerSources } from '../source-counts.ts';
import { nodeTimers } from '../timers.ts';
import type { Libc } from './libc.ts';
import { clientOf, endpointOf, type PlainConnection } from './messages.ts';
import { openSocket } from './sockets.ts';

export interface MainFlowsOptions<R> extends DataPlaneOptions {
  readonly reporter: FlowReporter<R>;
  readonly onReport: (report: R) => void;
}

export interface MainFlowsShare {
  readonly counters: Counters;
  /** The main thread's cells, and its part in the table. */
  readonly own: WorkerCounters;
  readonly sources: WorkerSources;
  readonly awaited: WorkerSources;
  readonly flowLimit: number;
  readonly ownListeners: readonly PlainEndpoint[];
  readonly flowIdPrefix: string;
}

/**
 * The flows that the epoll plane's workers hand to the main thread: plain HTTP. They stay counted by their workers, unless
 * one dies.
 */
export class MainFlows<R> {
  readonly #libc: Libc;
  readonly #options: MainFlowsOptions<R>;
  readonly #share: MainFlowsShare;
  readonly #world: HttpWorld;
  readonly #unread: FlowTable<NodeAttempt>;
  readonly #handed: HandedFlows;
  readonly #reporting: Reporting<R>;
  #policy: Policy;
  #tcpAddresses = TcpAddresses.none();

  constructor(libc: Libc, options: MainFlowsOptions<R>, share: MainFlowsShare) {
    const { counters, own, sources, awaited, flowLimit, ownListeners, flowIdPrefix } = share;
    this.#libc = libc;
    this.#options = options;
    this.#share = share;
    this.#policy = options.policy;
    this.#reporting = new Reporting(options.reporter, nodeTimers, options.onReport);
    this.#world = {
      settings: options.settings,
      resolver: options.resolver,
      guard: makeGuard(options.guard, ownListeners),
      clock: systemClock,
      timers: nodeTimers,
      observer: this.#reporting,
      openings: new Openings({ counters, own, sources: awaited }, options.openings),
      policy: () => this.#policy,
      tcpAddresses: () => this.#tcpAddresses,
      nextFlowId: flowIds(flowIdPrefix),
      gateway: options.gateway,
      connectFor: origin => this.#connectFor(origin),
      moved: own.moved,
    };
    this.#unread = new FlowTable<NodeAttempt>({
      world: this.#world,
      counters,
      own,
      sources,
      flowLimit,
      flowsPerSource: options.flowsPerSource,
    });
    this.#handed = new HandedFlows(this.#world, this.#unread, origin => this.#connectFor(origin));
  }

  /** Serves a connection. The descriptor is closed here in any case; `over` is called once. */
  serve(connection: PlainConnection, over: () => void): void {
    const { fd, opening, originalDestination } = connection;
    const listener = this.#options.listeners[connection.listener]?.listener;
    if (listener === undefined) throw new Error(`there is no listener ${connection.listener}`);
    const origin: HttpOrigin = {
      listener,
      client: clientOf(connection.client),
      originalDestination: originalDestination === null ? null : endpointOf(originalDestination),
    };
    const socket = this.#adopt(fd);
    if (socket !== null) return this.#handed.serve({ ...origin, socket, opening, over });
    recordUnnamed({ reason: 'client_closed', detail: null }, 'client_reset', origin, this.#world);
    over();
  }

  /** Counts a connection whose worker has died. */
  count({ listener, client }: PlainConnection): void {
    this.#share.own.opened(listener);
    if (this.#options.flowsPerSource > 0)
      this.#share.sources.tryOpen(endpointOf(client).ip, Number.POSITIVE_INFINITY);
  }

  /** Takes that back, when it is over. */
  uncount({ listener, client }: PlainConnection): void {
    this.#share.own.closed(listener);
    if (this.#options.flowsPerSource > 0) this.#share.sources.close(endpointOf(client).ip);
  }

  setPolicy(policy: Policy): void {
    this.#policy = policy;
    this.#unread.policyChanged();
    this.#handed.policyChanged();
  }

  setTcpAddresses(addresses: TcpAddresses): void {
    this.#tcpAddresses = addresses;
  }

  /** Takes no further requests. */
  drain(): void {
    this.#handed.drain();
  }

  abandonAll(): void {
    this.#unread.abandonAll('drained');
    this.#handed.abandonAll();
  }

  /** Says the last, when all flows are over. */
  finish(): void {
    this.#reporting.finish();
  }

  #connectFor({ listener, client }: HttpOrigin): Connect<NodeAttempt> {
    if (listener.kind !== 'transparent' || !listener.keepsSource) {
      return (ip, port, settle) => new NodeAttempt(ip, port, settle);
    }
    return (ip, port, settle) => new NodeAttempt(ip, port, settle, openSocket(this.#libc, ip, client.ip));
  }

  /** Null, and the descriptor closed, when Node takes it for no socket. */
  #adopt(fd: number): Socket | null {
    try {
      return new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
    } catch {
      this.#libc.close(fd);
      return null;
    }
  }
}
