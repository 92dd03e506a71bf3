import type { IpAddress } from '../policy/address.ts';
import type { State } from '../policy/decision.ts';
import type { Reason } from '../policy/reason.ts';
import type { Counters, WorkerCounters } from './counters.ts';
import { objectionNow } from './denied-now.ts';
import type { Attempt } from './dial.ts';
import type { FlowEnd } from './events.ts';
import { Flow, type Unjudged } from './flow.ts';
import { FlowRecorder } from './flow-recorder.ts';
import { type Begun, type GatedFlow, type GatedWire, HeaderGate } from './header-gate.ts';
import type { Listener } from './listener.ts';
import type { WorkerSources } from './source-counts.ts';
import { TrustedPeers } from './trusted-peers.ts';
import type { Client, Endpoint, Wire, WireUser } from './wire.ts';
import type { World } from './world.ts';

const NOTHING = new Uint8Array(0);
/** A decision takes a microsecond or two. */
const CHECKED_AT_ONCE = 1_000;

/** A wire that a plane has made for an accepted connection. */
export interface FlowWire<A extends Attempt> extends Wire<A>, GatedWire {
  /** Begins to tell `user` what the client does, in place of whoever was told before. */
  attach(user: WireUser): void;
  /** Ends the flow from outside, in whatever state it is. */
  abandon(end: FlowEnd): void;
}

export interface FlowTableOptions {
  readonly world: World;
  /** All workers' numbers, for the limit, and this worker's. */
  readonly counters: Counters;
  readonly own: WorkerCounters;
  readonly sources: WorkerSources;
  readonly flowLimit: number;
  readonly flowsPerSource: number;
}

/** The flows of one worker: admits new ones within the limits, counts them, and can end them all. */
export class FlowTable<A extends Attempt> {
  readonly #options: FlowTableOptions;
  /** Null: the header that a flow begins with is still awaited. */
  readonly #open = new Map<FlowWire<A>, FlowRecorder | null>();
  readonly #trusted = new TrustedPeers();

  constructor(options: FlowTableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * Whether one more connection may come in: then it is to be served, or taken back by `left`. One that may not has its
   * records, and is to be reset at once.
   */
  admits(peer: Endpoint, listener: Listener): boolean {
    const isTrusted = this.#isTrusted(peer, listener);
    if (!isTrusted && listener.proxyProtocol?.mode === 'require') {
      this.#turnAway(peer, listener, { reason: 'untrusted_peer', state: 'DENIED', detail: null });
      return false;
    }
    return this.#enters(peer, listener, isTrusted ? null : peer.ip);
  }

  /** Serves the admitted connection behind `wire`, which came in by the listener of that index. */
  serve(wire: FlowWire<A>, listener: Listener, index: number): void {
    const { counters, own, flowLimit } = this.#options;
    const isFull = counters.allOpenFlows() >= flowLimit;
    own.opened(index);
    if (this.#isTrusted(wire.client, listener)) this.#awaitHeader(wire, listener, index, isFull);
    else this.#begin(wire, listener, index, isFull ? 'flow_limit' : null, null);
  }

  /** Whether a PROXY protocol header of this peer says whom its connection is from. */
  #isTrusted(peer: Endpoint, { proxyProtocol }: Listener): boolean {
    return proxyProtocol !== undefined && this.#trusted.has(proxyProtocol, peer.ip);
  }

  #enters(client: Client, listener: Listener, source: IpAddress | null): boolean {
    const reason = this.#options.world.openings.tryEnter(source);
    if (reason !== null) this.#turnAway(client, listener, { reason, state: 'DENIED', detail: null });
    return reason === null;
  }

  /** Writes the records of a connection that makes no flow. */
  #turnAway(
    client: Client,
    listener: Listener,
    { reason, state, detail }: { reason: Reason; state: State; detail: string | null },
  ): void {
    const { world } = this.#options;
    const record = new FlowRecorder(world.observer, world.clock, world.nextFlowId(), listener.name, client);
    record.dstPort = listener.kind === 'sni' ? listener.upstreamPort : 0;
    record.detail = detail;
    record.decided({ action: 'deny', state, reason, rule: null });
    record.closed('refused', { out: 0, in: 0 }, null);
  }

  /** Lets the flow begin when the header has come. Until then the connection counts as nobody's. */
  #awaitHeader(wire: FlowWire<A>, listener: Listener, index: number, isFull: boolean): void {
    const { world } = this.#options;
    const gone = () => {
      world.openings.leave(null);
      this.#ended(wire, index);
    };
    const refuse = (reason: Reason, state: State, detail: string | null) => {
      this.#turnAway(wire.client, listener, { reason, state, detail });
      if (world.settings.onDeny === 'reset') wire.reset();
      else wire.hangUp(NOTHING);
      gone();
    };
    if (isFull) return refuse('flow_limit', 'DENIED', null);
    this.#open.set(wire, null);
    wire.attach(
      new HeaderGate(wire, listener, world, {
        begin: begun => {
          world.openings.leave(null);
          if (this.#enters(wire.client, listener, wire.client.ip)) {
            return this.#begin(wire, listener, index, null, begun);
          }
          wire.reset();
          this.#ended(wire, index);
          return null;
        },
        refuse: (reason, detail) => refuse(reason, 'NO_MATCH', detail),
        gone,
      }),
    );
  }

  /** Starts the flow of the wire's client, unless a limit is reached. */
  #begin(
    wire: FlowWire<A>,
    listener: Listener,
    index: number,
    reached: 'flow_limit' | null,
    begun: Begun | null,
  ): GatedFlow | null {
    const { world, sources, flowsPerSource } = this.#options;
    const limit = reached ?? this.#sourceLimit(wire.client);
    const isCounted = flowsPerSource > 0 && limit === null;
    const flow = new Flow<A>(listener, wire, world, () => {
      this.#ended(wire, index);
      if (isCounted) sources.close(wire.client.ip);
    });
    this.#open.set(wire, flow.record);
    wire.attach(flow);
    if (limit === null) flow.start(begun);
    else flow.refuseAtOnce(limit);
    return limit === null ? flow : null;
  }

  #sourceLimit({ ip }: Endpoint): 'source_limit' | null {
    const { sources, flowsPerSource } = this.#options;
    return flowsPerSource > 0 && !sources.tryOpen(ip, flowsPerSource) ? 'source_limit' : null;
  }

  #ended(wire: FlowWire<A>, index: number): void {
    this.#open.delete(wire);
    this.#options.own.closed(index);
  }

  /** Takes on a flow that is counted elsewhere, which hears `over` at its end: see `Flow.takeBack`. */
  takeBack(
    wire: FlowWire<A>,
    listener: Listener,
    opening: Uint8Array,
    unjudged: Unjudged,
    over: () => void,
  ): void {
    const flow = new Flow<A>(listener, wire, this.#options.world, () => {
      this.#open.delete(wire);
      over();
    });
    this.#open.set(wire, flow.record);
    wire.attach(flow);
    flow.takeBack(opening, unjudged);
  }

  abandonAll(end: FlowEnd): void {
    for (const wire of [...this.#open.keys()]) wire.abandon(end);
  }

  /** To be called when the policy has changed: ends the flows that it refuses, where the settings say so. */
  policyChanged(): void {
    if (this.#options.world.settings.onPolicyChange === 'close') this.#closeDenied([...this.#open]);
  }

  /** Some at a time, so that the flows that stay do not wait. Those still unjudged will be judged by the new policy. */
  #closeDenied(open: readonly (readonly [FlowWire<A>, FlowRecorder | null])[]): void {
    const { world } = this.#options;
    const { clock, policy, timers } = world;
    for (const [wire, record] of open.slice(0, CHECKED_AT_ONCE)) {
      if (record === null || (!record.isDecided && record.hostname === null) || !this.#open.has(wire))
        continue;
      if (objectionNow(policy(), world, record, clock.epochMs) !== null) wire.abandon('policy_changed');
    }
    const rest = open.slice(CHECKED_AT_ONCE);
    if (rest.length > 0) timers.after(1, () => this.#closeDenied(rest));
  }
}
