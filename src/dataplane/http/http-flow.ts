import type { Socket } from 'node:net';
import type { HttpRole } from '../../sniff/http-request.ts';
import type { FlowEnd } from '../events.ts';
import { Conversation, type RequestSource } from './conversation.ts';
import { type FirstRequest, readFirstRequest } from './first-request.ts';
import type { HttpOrigin, HttpWorld } from './http-world.ts';
import { type Objection, recordUnnamed } from './refusal.ts';

const NOTHING = new Uint8Array(0);

/** A client's connection with what was read from it, to be served as plain HTTP. */
export interface HandedFlow extends HttpOrigin {
  /** Not flowing and without listeners; ours from now on unless it is given back. */
  readonly socket: Socket;
  /** What was read from it already, not what was peeked at; may be empty. */
  readonly opening: Uint8Array;
  /**
   * In observe mode the first request could not be read, or not be judged: the socket, as it was handed over, and all
   * bytes read from it are the caller's again. No record was written. The socket may have ended: `readableEnded`.
   */
  giveBack(bytes: Uint8Array, objection: Objection): void;
  /** Called once unless given back, when the last record is written. */
  over(): void;
}

/** One client connection of plain HTTP: its first request is read here, the rest is a conversation. */
export class HttpFlow {
  readonly #handed: HandedFlow;
  readonly #world: HttpWorld;
  readonly #source: RequestSource;
  readonly #role: HttpRole;
  #stopReading: () => void = () => {};
  #isAwaited = false;
  #conversation: Conversation | null = null;

  constructor(handed: HandedFlow, world: HttpWorld, source: RequestSource) {
    this.#handed = handed;
    this.#world = world;
    this.#source = source;
    this.#role = roleTowards(handed);
  }

  /** The first call. */
  start(): void {
    const { socket, opening, listener, originalDestination } = this.#handed;
    socket.allowHalfOpen = true;
    socket.setNoDelay(true);
    if (listener.kind === 'transparent' && originalDestination === null) {
      return this.#converse(NOTHING).refuse({ reason: 'destination_forbidden', detail: null });
    }
    let isRead = false;
    this.#stopReading = readFirstRequest({
      socket,
      opening,
      role: this.#role,
      timeoutMs: this.#world.settings.helloTimeoutMs,
      timers: this.#world.timers,
      done: first => {
        isRead = true;
        this.#begin(first);
      },
    });
    if (!isRead) this.#await();
  }

  /** Takes no further request: ends now if there is none under way, else after it. */
  drain(): void {
    if (this.#conversation === null) this.#abandon('drained');
    else this.#conversation.drain();
  }

  /** Ends the flow from outside, both sides with a reset. */
  cut(end: FlowEnd): void {
    if (this.#conversation === null) this.#abandon(end);
    else this.#conversation.cut(end);
  }

  /** Closes what the policy in force now refuses. */
  closeDenied(): void {
    this.#conversation?.closeDenied();
  }

  /** The head has not come whole: it is awaited here as it was where the flow came from. */
  #await(): void {
    const limit = this.#world.openings.tryEnter(this.#handed.client.ip);
    this.#isAwaited = limit === null;
    if (limit === null) return;
    this.#stopReading();
    this.#converse(NOTHING).refuse({ reason: limit, detail: null });
  }

  #begin(first: FirstRequest): void {
    this.#heardOut();
    switch (first.kind) {
      case 'reset':
        return this.#abandon('client_reset');
      case 'unreadable': {
        const { bytes, reason, detail } = first;
        if (this.#mayGiveBack) return this.#handed.giveBack(bytes, { reason, detail });
        return this.#converse(NOTHING).refuse({ reason, detail });
      }
      case 'readable':
        return this.#converse(first.bytes).serve();
      default:
        first satisfies never;
    }
  }

  /** In observe mode what cannot be read goes where the client wanted to go; only its own choice says where. */
  get #mayGiveBack(): boolean {
    const { originalDestination, client } = this.#handed;
    const mode = this.#world.policy().modeOf(client.ip, this.#world.clock.epochMs, client.vpcEndpoint);
    return mode === 'observe' && originalDestination !== null;
  }

  #converse(opening: Uint8Array): Conversation {
    const { socket, over } = this.#handed;
    this.#conversation = new Conversation({
      socket,
      opening,
      origin: this.#handed,
      role: this.#role,
      world: this.#world,
      source: this.#source,
      onOver: over,
    });
    return this.#conversation;
  }

  #heardOut(): void {
    if (!this.#isAwaited) return;
    this.#isAwaited = false;
    this.#world.openings.leave(this.#handed.client.ip);
  }

  /** Ends the flow before it has said anything. */
  #abandon(end: FlowEnd): void {
    const { socket, over } = this.#handed;
    this.#stopReading();
    this.#heardOut();
    recordUnnamed(
      { reason: end === 'drained' ? 'drained' : 'client_closed', detail: null },
      end,
      this.#handed,
      this.#world,
    );
    socket.on('error', ignore);
    socket.resetAndDestroy();
    over();
  }
}

function roleTowards({ listener, originalDestination }: HttpOrigin): HttpRole {
  switch (listener.kind) {
    case 'explicit':
      return { kind: 'proxy' };
    case 'sni':
      return { kind: 'server', port: listener.upstreamPort };
    case 'transparent':
      return { kind: 'server', port: originalDestination?.port ?? 0 };
    default:
      return listener satisfies never;
  }
}

function ignore(): void {}
