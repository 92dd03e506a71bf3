import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Reason } from '../../policy/reason.ts';
import type { HttpRole } from '../../sniff/http-request.ts';
import type { FlowEnd } from '../events.ts';
import type { NodeRelay } from '../portable/node-relay.ts';
import type { Timer } from '../timers.ts';
import { type Answer, answerBytes } from './answer.ts';
import { ClientStream } from './client-stream.ts';
import { declinedHttp2 } from './declined-http2.ts';
import { Exchange } from './exchange.ts';
import type { HostFlow } from './host-flow.ts';
import type { AskedHost } from './host-verdict.ts';
import { Hosts } from './hosts.ts';
import type { HttpOrigin, HttpWorld } from './http-world.ts';
import { type ReadRequest, readRequest } from './read-request.ts';
import { type Objection, recordUnnamed, refusalAnswer } from './refusal.ts';
import { type NamedItem, RequestQueue, type WaitingRoom } from './request-queue.ts';
import { UpgradeExchange } from './upgrade-exchange.ts';
import { failureAnswer, failureEnd, type UpstreamFailure } from './upstream-failure.ts';

const NOTHING = new Uint8Array(0);

/** The node:http server that frames the requests of all flows. */
export interface RequestSource {
  attach(stream: ClientStream, conversation: Conversation): void;
  detach(stream: ClientStream): void;
  readonly room: WaitingRoom;
}

export interface ConversationOptions {
  /** Paused, half-open capable, without listeners. */
  readonly socket: Socket;
  /** What was read from it before. */
  readonly opening: Uint8Array;
  readonly origin: HttpOrigin;
  readonly role: HttpRole;
  readonly world: HttpWorld;
  readonly source: RequestSource;
  /** Called once, when the last record is written. */
  readonly onOver: () => void;
}

/**
 * What a client and its hosts say to each other over one connection. The requests are judged and served one after the
 * other, in their order, each to the host that it names. Whatever is refused or cannot be answered gets an answer of
 * ours and ends the connection. Owns the client's socket.
 */
export class Conversation {
  readonly #origin: HttpOrigin;
  readonly #world: HttpWorld;
  readonly #source: RequestSource;
  readonly #role: HttpRole;
  readonly #onOver: () => void;
  readonly #hosts: Hosts;
  readonly #stream: ClientStream;
  #relay: NodeRelay | null = null;
  readonly #queue: RequestQueue;
  /** The request that is being served. */
  #current: NamedItem | null = null;
  #host: HostFlow | null = null;
  #exchange: Exchange | UpgradeExchange | null = null;
  #headTimer: Timer | null = null;
  readonly #idleTimer: Timer;
  #clientEnded = false;
  #isDraining = false;
  /** A request has been read already, and will come. */
  #isDue = false;
  /** How the flow ends, once that is settled and the last bytes are on their way. */
  #end: FlowEnd | null = null;
  #isOver = false;

  constructor({ socket, opening, origin, role, world, source, onOver }: ConversationOptions) {
    this.#origin = origin;
    this.#world = world;
    this.#source = source;
    this.#role = role;
    this.#onOver = onOver;
    this.#queue = new RequestQueue(source.room);
    this.#hosts = new Hosts(origin, world, () => this.#idleTimer.refresh());
    this.#idleTimer = world.timers.after(world.settings.idleTimeoutMs, () => this.#idled());
    this.#stream = new ClientStream(socket, opening, {
      arrived: () => this.#arrived(),
      sent: () => this.#idleTimer.refresh(),
      ended: () => this.#ended(),
      finished: () => this.#over(this.#end ?? (this.#clientEnded ? 'client_fin' : 'server_fin')),
      gone: () => {
        this.#abortExchange();
        this.#over(this.#end ?? 'client_reset');
      },
    });
  }

  /** Lets node:http read the requests. */
  serve(): void {
    this.#isDue = true;
    this.#source.attach(this.#stream, this);
  }

  /** Refuses what names no host. */
  refuse(objection: Objection): void {
    recordUnnamed(objection, 'refused', this.#origin, this.#world);
    this.#refuse(refusalAnswer(objection.reason, objection.detail, 'the request'));
  }

  /** A request whose head is whole. */
  request(request: IncomingMessage, response: ServerResponse): void {
    response.on('error', ignore);
    this.#take({ kind: 'request', request, response });
  }

  /** A request to change the protocol; nothing is read behind it. */
  upgrade(request: IncomingMessage, head: Uint8Array): void {
    this.#passDrains();
    this.#take({ kind: 'upgrade', request, head });
  }

  connect(): void {
    this.#passDrains();
    this.#object({ reason: 'malformed_request', detail: 'connect' });
  }

  /** What has come is no request, or no body of the last one. */
  unreadable(objection: Objection): void {
    const broken = this.#queue.unfinished;
    if (broken !== null && broken === this.#current?.request) return this.#bodyBroken(objection);
    if (broken !== null) this.#queue.dropLast();
    this.#object(objection);
  }

  /** Takes no further request: closes now if there is none under way, else after it. */
  drain(): void {
    this.#isDraining = true;
    const isIdle = this.#current === null && this.#relay === null && this.#queue.isEmpty;
    if (isIdle && !this.#isDue) this.#close('drained');
  }

  /** Ends the flow from outside, both sides with a reset. */
  cut(end: FlowEnd): void {
    if (this.#isOver) return;
    if (this.#relay !== null) return this.#relay.end(end);
    this.#abortExchange();
    this.#stream.reset();
    this.#over(end);
  }

  /** Closes what the policy in force now refuses. */
  closeDenied(): void {
    if (this.#hosts.closeDenied(this.#host)) this.cut('policy_changed');
  }

  /** Bytes for node:http. Unless they belong to a request that it is reading, a head has begun and must come to its end. */
  #arrived(): void {
    this.#idleTimer.refresh();
    if (this.#queue.unfinished !== null || this.#queue.isClosed || this.#headTimer !== null) return;
    this.#headTimer = this.#world.timers.after(this.#world.settings.helloTimeoutMs, () =>
      this.#object({ reason: 'hello_timeout', detail: null }),
    );
  }

  #ended(): void {
    this.#clientEnded = true;
    if (this.#queue.isClosed) return;
    if (this.#queue.unfinished !== null) return this.cut('client_fin');
    if (this.#current === null && this.#queue.isEmpty && !this.#isDue) this.#close('client_fin');
  }

  #take(item: NamedItem): void {
    this.#isDue = false;
    this.#cancelHeadTimer();
    if (!this.#queue.add(item)) return this.#object({ reason: 'flow_limit', detail: null });
    if (this.#queue.isFull) this.#stream.hold();
    // What came in the same segment is read first: a body that breaks its framing has no request forwarded.
    process.nextTick(() => this.#serveNext());
  }

  /** Answers in its turn, behind the requests that were fine, and takes no more. */
  #object(objection: Objection): void {
    this.#isDue = false;
    this.#cancelHeadTimer();
    this.#stream.stopReading();
    this.#queue.close(objection);
    process.nextTick(() => this.#serveNext());
  }

  #bodyBroken(objection: Objection): void {
    const hasAnswered = this.#exchange?.hasAnswered ?? false;
    this.#abortExchange();
    this.#host?.close('client_reset');
    if (hasAnswered) this.cut('client_reset');
    else this.refuse(objection);
  }

  #serveNext(): void {
    if (this.#isOver || this.#end !== null || this.#current !== null) return;
    const item = this.#queue.next();
    if (!this.#queue.isFull) this.#stream.readOn();
    if (item === null) return this.#rest();
    if (item.kind === 'objection') return this.refuse(item.objection);
    this.#current = item;
    this.#serve(item).catch(() => this.cut('server_reset'));
  }

  async #serve(item: NamedItem): Promise<void> {
    const again = item.kind === 'upgrade' ? declinedHttp2(item.request) : null;
    if (item.kind === 'upgrade' && again !== null) return this.#readAgain(Buffer.concat([again, item.head]));
    const read = readRequest(item.request, this.#role);
    if (read.kind === 'objection') return this.refuse(read.objection);
    const host = await this.#hosts.flowTo(read.asked, () => this.#current === item);
    if (host === null) return;
    this.#host = host;
    const reason = host.verdict.decision.reason;
    if (host.isDenied && reason !== null) return this.#refuseHost(host, reason);
    this.#exchange =
      item.kind === 'request' ? this.#makeExchange(item, host, read) : this.#makeUpgrade(item, host, read);
    this.#exchange.start();
  }

  /** Has node:http, which let go of the connection for a change of protocol that we decline, read on from `bytes`. */
  #readAgain(bytes: Uint8Array): void {
    this.#current = null;
    this.#isDue = true;
    this.#source.detach(this.#stream);
    // What node:http leaves behind when it lets go of a connection, and what passed drains for it.
    for (const event of ['drain', 'pause', 'resume']) this.#stream.removeAllListeners(event);
    this.#stream.unshift(bytes);
    this.#source.attach(this.#stream, this);
  }

  #makeExchange(
    { request, response }: Extract<NamedItem, { kind: 'request' }>,
    host: HostFlow,
    { path, authority, body }: ReadRequest,
  ): Exchange {
    return new Exchange({
      path,
      authority,
      body,
      request,
      response,
      host,
      isLast: () => this.#isDraining || (this.#clientEnded && this.#queue.isEmpty),
      inform: head => this.#stream.write(head),
      done: () => this.#served(),
      failed: failure => this.#failed(host, failure),
      broken: () => {
        if (response.writableEnded) return this.#close('server_fin');
        host.close('server_reset');
        this.cut('server_reset');
      },
    });
  }

  #makeUpgrade(
    { request, head }: Extract<NamedItem, { kind: 'upgrade' }>,
    host: HostFlow,
    { path, authority }: ReadRequest,
  ): UpgradeExchange {
    return new UpgradeExchange({
      path,
      authority,
      request,
      head,
      stream: this.#stream,
      host,
      world: this.#world,
      switched: relay => {
        this.#relay = relay;
        this.#idleTimer.cancel();
        this.#source.detach(this.#stream);
      },
      ended: end => {
        this.#relay = null;
        this.#over(end);
      },
      failed: failure => this.#failed(host, failure),
      broken: () => this.cut('server_reset'),
    });
  }

  #served(): void {
    this.#current = null;
    this.#exchange = null;
    this.#host = null;
    process.nextTick(() => this.#serveNext());
  }

  /** Nothing is left to serve. */
  #rest(): void {
    if (this.#clientEnded) this.#close('client_fin');
    else if (this.#isDraining) this.#close('drained');
  }

  #failed(host: HostFlow, failure: UpstreamFailure): void {
    host.close(failureEnd(failure), failure.kind === 'dial' ? failure.failure : null);
    this.#close('server_fin', this.#answer(failureAnswer(failure, subjectOf(host.asked))));
  }

  #refuseHost(host: HostFlow, reason: Reason): void {
    host.close('refused');
    this.#refuse(refusalAnswer(reason, null, subjectOf(host.asked)));
  }

  #refuse(answer: Answer): void {
    switch (this.#world.settings.onDeny) {
      case 'alert':
        return this.#close('server_fin', this.#answer(answer));
      case 'reset':
        return this.cut('server_fin');
      case 'drop':
        return this.#close('server_fin');
    }
  }

  #answer(answer: Answer): Uint8Array {
    const request = this.#current?.request;
    return answerBytes(answer, {
      gateway: this.#world.gateway,
      accept: request?.headers.accept ?? '',
      isHead: request?.method === 'HEAD',
    });
  }

  /** Says `farewell`, if anything, and hangs up; the flow is over when that is sent. */
  #close(end: FlowEnd, farewell: Uint8Array = NOTHING): void {
    if (this.#end !== null) return;
    this.#end = end;
    this.#abortExchange();
    this.#current = null;
    this.#cancelHeadTimer();
    this.#queue.clear();
    this.#stream.hangUp(farewell);
  }

  #idled(): void {
    const isAwaited = this.#exchange !== null && !this.#exchange.hasAnswered;
    if (isAwaited && this.#host !== null) this.#failed(this.#host, { kind: 'idle' });
    else this.cut('idle_timeout');
  }

  /** Once node:http has let go of the connection nobody else tells a response that it may go on. */
  #passDrains(): void {
    this.#stream.on('drain', () => {
      if (this.#current?.kind === 'request') this.#current.response.emit('drain');
    });
  }

  #abortExchange(): void {
    this.#exchange?.abort();
    this.#exchange = null;
  }

  #cancelHeadTimer(): void {
    this.#headTimer?.cancel();
    this.#headTimer = null;
  }

  #over(end: FlowEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#current = null;
    this.#cancelHeadTimer();
    this.#idleTimer.cancel();
    this.#queue.clear();
    this.#source.detach(this.#stream);
    this.#host?.close(end);
    this.#hosts.closeAll(end);
    this.#onOver();
  }
}

function subjectOf({ hostname, address, port }: AskedHost): string {
  return `${hostname ?? address}:${port}`;
}

function ignore(): void {}
