import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { DEFAULT_HEAD_LIMITS } from '../../sniff/http-head.ts';
import type { FlowEnd } from '../events.ts';
import type { ClientStream } from './client-stream.ts';
import type { Conversation, RequestSource } from './conversation.ts';
import { type HandedFlow, HttpFlow } from './http-flow.ts';
import type { HttpWorld } from './http-world.ts';
import type { Objection } from './refusal.ts';
import { WaitingRoom } from './request-queue.ts';

/** Over all flows. A waiting request holds some kilobytes; one flow that pipelines cannot have more than one read of them. */
const MAX_WAITING_IN_ALL = 10_000;

/**
 * Serves plain HTTP flows that a data plane hands over, request by request. One node:http server, which listens nowhere,
 * frames the requests of all of them.
 */
export class HttpFlows {
  readonly #world: HttpWorld;
  readonly #server: Server;
  readonly #flows = new Set<HttpFlow>();
  readonly #byStream = new Map<Duplex, Conversation>();
  readonly #source: RequestSource;
  #isDraining = false;

  constructor(world: HttpWorld) {
    this.#world = world;
    this.#server = this.#makeServer();
    this.#source = {
      attach: (stream, conversation) => this.#attach(stream, conversation),
      detach: stream => this.#byStream.delete(stream),
      room: new WaitingRoom(MAX_WAITING_IN_ALL),
    };
  }

  get openFlows(): number {
    return this.#flows.size;
  }

  /** Takes a flow over. The socket is this one's until it is given back. */
  serve(handed: HandedFlow): void {
    const flow: HttpFlow = new HttpFlow(
      {
        ...handed,
        giveBack: (bytes, objection) => {
          this.#flows.delete(flow);
          handed.giveBack(bytes, objection);
        },
        over: () => {
          this.#flows.delete(flow);
          handed.over();
        },
      },
      this.#world,
      this.#source,
    );
    this.#flows.add(flow);
    flow.start();
    if (this.#isDraining) flow.drain();
  }

  /** To be called after a policy was put in force: ends flows to hosts that it refuses. */
  closeDenied(): void {
    for (const flow of [...this.#flows]) flow.closeDenied();
  }

  /** Takes no further requests: a flow ends after the one under way, if any. What is served from now on has one. */
  drain(): void {
    this.#isDraining = true;
    for (const flow of [...this.#flows]) flow.drain();
  }

  /** Ends all flows now. */
  cutAll(end: FlowEnd): void {
    for (const flow of [...this.#flows]) flow.cut(end);
  }

  #attach(stream: ClientStream, conversation: Conversation): void {
    this.#byStream.set(stream, conversation);
    this.#server.emit('connection', stream);
  }

  #makeServer(): Server {
    const server = createServer({
      insecureHTTPParser: false,
      requireHostHeader: false,
      joinDuplicateHeaders: false,
      maxHeaderSize: DEFAULT_HEAD_LIMITS.maxBytes,
      // The flows keep their own time: these clocks run only in a server that listens.
      headersTimeout: 0,
      requestTimeout: 0,
      keepAliveTimeout: 0,
    });
    server.timeout = 0;
    // 0: no limit but the bytes; otherwise lines beyond it would be dropped unsaid.
    server.maxHeadersCount = 0;
    const serve = (request: IncomingMessage, response: ServerResponse) =>
      this.#byStream.get(request.socket)?.request(request, response);
    server.on('request', serve);
    server.on('checkContinue', serve);
    server.on('checkExpectation', serve);
    server.on('upgrade', (request, stream, head) => this.#byStream.get(stream)?.upgrade(request, head));
    server.on('connect', (_request, stream) => this.#byStream.get(stream)?.connect());
    server.on('clientError', (error: NodeJS.ErrnoException, stream) => {
      this.#byStream.get(stream)?.unreadable(objectionTo(error));
    });
    return server;
  }
}

function objectionTo({ code = '' }: NodeJS.ErrnoException): Objection {
  if (code === 'HPE_HEADER_OVERFLOW') return { reason: 'hello_too_large', detail: null };
  return { reason: 'malformed_request', detail: code.replace('HPE_', '').toLowerCase().replaceAll('_', '-') };
}
