import type { Counters, WorkerCounters } from './counters.ts';
import { objectionNow } from './denied-now.ts';
import type { Attempt } from './dial.ts';
import type { FlowEnd } from './events.ts';
import { Flow, type Unjudged } from './flow.ts';
import { FlowRecorder } from './flow-recorder.ts';
import type { Listener } from './listener.ts';
import type { WorkerSources } from './source-counts.ts';
import type { Endpoint, Wire } from './wire.ts';
import type { World } from './world.ts';

/** A decision takes a microsecond or two. */
const CHECKED_AT_ONCE = 1_000;

/** A wire that a plane has made for an accepted connection. */
export interface FlowWire<A extends Attempt> extends Wire<A> {
  /** Begins to tell `flow` what the client does. */
  attach(flow: Flow<A>): void;
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
  readonly #open = new Map<FlowWire<A>, FlowRecorder>();

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
  admits(client: Endpoint, listener: Listener): boolean {
    const { world } = this.#options;
    const limit = world.openings.tryEnter(client.ip);
    if (limit === null) return true;
    const record = new FlowRecorder(world.observer, world.clock, world.nextFlowId(), listener.name, client);
    record.dstPort = listener.kind === 'sni' ? listener.upstreamPort : 0;
    record.decided({ action: 'deny', state: 'DENIED', reason: limit, rule: null });
    record.closed('refused', { out: 0, in: 0 }, null);
    return false;
  }

  /** A connection that was admitted is gone before it could be served. */
  left(client: Endpoint): void {
    this.#options.world.openings.leave(client.ip);
  }

  /** Serves the admitted connection behind `wire`, which came in by the listener of that index. */
  serve(wire: FlowWire<A>, listener: Listener, index: number): void {
    const { world, own, sources, flowsPerSource } = this.#options;
    const limit = this.#limitReached(wire);
    const isCounted = flowsPerSource > 0 && limit === null;
    const flow = new Flow<A>(listener, wire, world, () => {
      this.#open.delete(wire);
      own.closed(index);
      if (isCounted) sources.close(wire.client.ip);
    });
    this.#open.set(wire, flow.record);
    own.opened(index);
    wire.attach(flow);
    if (limit === null) flow.start();
    else flow.refuseAtOnce(limit);
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
  #closeDenied(open: readonly (readonly [FlowWire<A>, FlowRecorder])[]): void {
    const { world } = this.#options;
    const { clock, policy, timers } = world;
    for (const [wire, record] of open.slice(0, CHECKED_AT_ONCE)) {
      const isJudged = record.isDecided || record.hostname !== null;
      if (!isJudged || !this.#open.has(wire)) continue;
      if (objectionNow(policy(), world, record, clock.epochMs) !== null) wire.abandon('policy_changed');
    }
    const rest = open.slice(CHECKED_AT_ONCE);
    if (rest.length > 0) timers.after(1, () => this.#closeDenied(rest));
  }

  #limitReached(wire: FlowWire<A>): 'flow_limit' | 'source_limit' | null {
    const { counters, sources, flowLimit, flowsPerSource } = this.#options;
    if (counters.allOpenFlows() >= flowLimit) return 'flow_limit';
    if (flowsPerSource > 0 && !sources.tryOpen(wire.client.ip, flowsPerSource)) return 'source_limit';
    return null;
  }
}
