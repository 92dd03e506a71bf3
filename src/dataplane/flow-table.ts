import type { Counters, WorkerCounters } from './counters.ts';
import type { Attempt } from './dial.ts';
import type { FlowEnd } from './events.ts';
import { Flow } from './flow.ts';
import type { Listener } from './listener.ts';
import type { SourceCounts } from './source-counts.ts';
import type { Wire } from './wire.ts';
import type { World } from './world.ts';

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
  readonly sources: SourceCounts;
  readonly flowLimit: number;
  readonly flowsPerSource: number;
}

/** The flows of one worker: admits new ones within the limits, counts them, and can end them all. */
export class FlowTable<A extends Attempt> {
  readonly #options: FlowTableOptions;
  readonly #wires = new Set<FlowWire<A>>();

  constructor(options: FlowTableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#wires.size;
  }

  /** Serves the connection behind `wire`, which came in by the listener of that index. */
  serve(wire: FlowWire<A>, listener: Listener, index: number): void {
    const { world, own, sources, flowsPerSource } = this.#options;
    const limit = this.#limitReached(wire);
    const isCounted = flowsPerSource > 0 && limit === null;
    const flow = new Flow<A>(listener, wire, world, () => {
      this.#wires.delete(wire);
      own.closed(index);
      if (isCounted) sources.close(wire.client.ip);
    });
    this.#wires.add(wire);
    own.opened(index);
    wire.attach(flow);
    if (limit === null) flow.start();
    else flow.refuseAtOnce(limit);
  }

  abandonAll(end: FlowEnd): void {
    for (const wire of [...this.#wires]) wire.abandon(end);
  }

  #limitReached(wire: FlowWire<A>): 'flow_limit' | 'source_limit' | null {
    const { counters, sources, flowLimit, flowsPerSource } = this.#options;
    if (counters.allOpenFlows() >= flowLimit) return 'flow_limit';
    if (flowsPerSource > 0 && !sources.tryOpen(wire.client.ip, flowsPerSource)) return 'source_limit';
    return null;
  }
}
