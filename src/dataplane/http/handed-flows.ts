import type { Socket } from 'node:net';
import type { Connect } from '../dial.ts';
import type { FlowTable } from '../flow-table.ts';
import type { NodeAttempt } from '../portable/node-attempt.ts';
import { NodeWire } from '../portable/node-wire.ts';
import { HttpFlows } from './http-flows.ts';
import type { HttpOrigin, HttpWorld } from './http-world.ts';

/** A client's connection that a data plane hands over because it speaks plain HTTP. */
export interface HandedConnection extends HttpOrigin {
  /** Not flowing and without listeners; ours from now on. */
  readonly socket: Socket;
  /** What was read from it already. */
  readonly opening: Uint8Array;
  /** Called once, when the last record is written. */
  over(): void;
}

/**
 * The plain HTTP of a data plane, on the main thread: served request by request, or, where observe mode must let pass
 * what nobody can read, relayed unread. The flows stay counted where they were accepted.
 */
export class HandedFlows {
  readonly #http: HttpFlows;
  readonly #world: HttpWorld;
  readonly #unread: FlowTable<NodeAttempt>;
  readonly #connectFor: (origin: HttpOrigin) => Connect<NodeAttempt>;

  /** `unread` holds what is relayed unread; `connectFor`: as the world's, for that. */
  constructor(
    world: HttpWorld,
    unread: FlowTable<NodeAttempt>,
    connectFor: (origin: HttpOrigin) => Connect<NodeAttempt>,
  ) {
    this.#world = world;
    this.#connectFor = connectFor;
    this.#unread = unread;
    this.#http = new HttpFlows(world);
  }

  serve(handed: HandedConnection): void {
    const { settings, moved } = this.#world;
    const { socket, listener, client, originalDestination, over } = handed;
    this.#http.serve({
      ...handed,
      giveBack: (bytes, objection) => {
        const { idleTimeoutMs, halfClosedTimeoutMs } = settings;
        this.#unread.takeBack(
          new NodeWire({
            connect: this.#connectFor(handed),
            socket,
            client,
            originalDestination,
            idleTimeoutMs,
            halfClosedTimeoutMs,
            moved,
            handOver: null,
          }),
          listener,
          bytes,
          objection,
          over,
        );
      },
    });
  }

  /** To be called after a policy was put in force. */
  policyChanged(): void {
    if (this.#world.settings.onPolicyChange === 'close') this.#http.closeDenied();
  }

  /** Takes no further requests. What is handed over from now on is served once. */
  drain(): void {
    this.#http.drain();
  }

  /** Ends what is open. */
  abandonAll(): void {
    this.#http.cutAll('drained');
  }
}
