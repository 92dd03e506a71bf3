import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { IpAddress } from '../../policy/address.ts';
import { parseHostname } from '../../policy/hostname.ts';
import type { Reason } from '../../policy/reason.ts';
import { DEFAULT_HEAD_LIMITS } from '../../sniff/http-head.ts';
import { type HttpRole, judgeRequest } from '../../sniff/http-request.ts';
import type { Target } from '../../sniff/target.ts';
import type { FlowEnd } from '../events.ts';
import type { NodeRelay } from '../portable/node-relay.ts';
import type { Timer } from '../timers.ts';
import { type Answer, answerBytes } from './answer.ts';
import { ClientStream } from './client-stream.ts';
import { Exchange } from './exchange.ts';
import { type FirstRequest, readFirstRequest } from './first-request.ts';
import { pairsOf } from './forwarded-fields.ts';
import type { HostFlow } from './host-flow.ts';
import type { AskedHost } from './host-verdict.ts';
import { Hosts } from './hosts.ts';
import type { HttpOrigin, HttpWorld } from './http-world.ts';
import { type Objection, recordUnnamed, refusalAnswer } from './refusal.ts';
import { type NamedItem, RequestQueue, type WaitingRoom } from './request-queue.ts';
import { UpgradeExchange } from './upgrade-exchange.ts';
import { failureAnswer, failureEnd, type UpstreamFailure } from './upstream-failure.ts';

const NOTHING = new Uint8Array(0);

/** A client's connection with what was read from it, to be served as plain HTTP. */
export interface HandedFlow extends HttpOrigin {
  /** Paused, half-open capable, without listeners; ours from now on unless it is given back. */
  readonly socket: Socket;
  readonly opening: Uint8Array;
  /**
   * In observe mode the first request could not be read, or not be judged: the socket, as it was handed over, and all
   * bytes read from it are the caller's again. No record was written. The socket may have ended: `readableEnded`.
   */
  giveBack(bytes: Uint8Array, objection: Objection): void;
  /** Called once unless given back, when the last record is written. */
  over(): void;
}

/** The node:http server that frames the requests of all flows. */
export interface RequestSource {
  attach(stream: ClientStream, flow: HttpFlow): void;
  detach(stream: ClientStream): void;
  readonly room: WaitingRoom;
}

/**
 * One client connection of plain HTTP. Its requests are judged and served one after the other, in their order, each to
 * the host that it names. Whatever is refused or cannot be answered gets an answer of ours and ends the connection.
 */
export class HttpFlow {
  readonly #handed: HandedFlow;
  readonly #world: HttpWorld;
  readonly #source: RequestSource;
  readonly #role: HttpRole;
  readonly #hosts: Hosts;
  #stopFirst: () => void = () => {};
  #stream: ClientStream | null = null;
  #relay: NodeRelay | null = null;
  readonly #queue: RequestQueue;
  /** The request that is being served. */
  #current: NamedItem | null = null;
  #host: HostFlow | null = null;
  #exchange: Exchange | UpgradeExchange | null = null;
  #headTimer: Timer | null = null;
  #idleTimer: Timer | null = null;
  #clientEnded = false;
  #isDraining = false;
  #isOver = false;

  constructor(handed: HandedFlow, world: HttpWorld, source: RequestSource) {
    this.#handed = handed;
    this.#world = world;
    this.#source = source;
    this.#role = roleTowards(handed);
    this.#queue = new RequestQueue(source.room);
    this.#hosts = new Hosts(handed, world, () => this.#idleTimer?.refresh());
  }

  /** The first call. */
  start(): void {
    const { socket, opening, listener, originalDestination } = this.#handed;
    socket.allowHalfOpen = true;
    if (listener.kind === 'transparent' && originalDestination === null) {
      this.#stream = this.#makeStream(NOTHING);
      return this.#refuseUnnamed({ reason: 'destination_forbidden', detail: null });
    }
    const stop = readFirstRequest({
      socket,
      opening,
      role: this.#role,
      timeoutMs: this.#world.settings.helloTimeoutMs,
      timers: this.#world.timers,
      done: first => this.#begin(first),
    });
    this.#stopFirst = stop;
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
    if (this.#stream === null) return this.cut('drained');
    if (this.#current === null && this.#relay === null && !this.#queue.isClosed)
      this.#close('drained', NOTHING);
  }

  /** Ends the flow from outside, both sides with a reset. */
  cut(end: FlowEnd): void {
    if (this.#isOver) return;
    if (this.#relay !== null) return this.#relay.end(end);
    this.#stopFirst();
    this.#abortExchange();
    if (this.#stream === null) {
      recordUnnamed(
        { reason: end === 'drained' ? 'drained' : 'client_closed', detail: null },
        end,
        this.#handed,
        this.#world,
      );
      this.#handed.socket.on('error', ignore);
      this.#handed.socket.resetAndDestroy();
    } else {
      this.#stream.reset();
    }
    this.#over(end);
  }

  /** Closes what the policy in force now refuses. */
  closeDenied(): void {
    if (this.#hosts.closeDenied(this.#host)) this.cut('policy_changed');
  }

  #begin(first: FirstRequest): void {
    switch (first.kind) {
      case 'reset':
        return this.cut('client_reset');
      case 'unreadable': {
        const objection = { reason: first.reason, detail: first.detail };
        if (this.#mayGiveBack) {
          this.#isOver = true;
          return this.#handed.giveBack(first.bytes, objection);
        }
        this.#stream = this.#makeStream(NOTHING);
        return this.#refuseUnnamed(objection);
      }
      case 'readable':
        this.#stream = this.#makeStream(first.bytes);
        this.#awaitMore();
        return this.#source.attach(this.#stream, this);
      default:
        first satisfies never;
    }
  }

  /** In observe mode what cannot be read goes where the client wanted to go; only its own choice says where. */
  get #mayGiveBack(): boolean {
    const { originalDestination, client } = this.#handed;
    const mode = this.#world.policy().modeOf(client.ip, this.#world.clock.epochMs);
    return mode === 'observe' && originalDestination !== null;
  }

  #makeStream(opening: Uint8Array): ClientStream {
    return new ClientStream(this.#handed.socket, opening, {
      arrived: () => this.#arrived(),
      sent: () => this.#idleTimer?.refresh(),
      ended: () => this.#ended(),
      finished: () => this.#over(this.#clientEnded ? 'client_fin' : 'server_fin'),
      gone: () => {
        this.#abortExchange();
        this.#over('client_reset');
      },
    });
  }

  /** Bytes for node:http. Unless they belong to a request that it is reading, a head has begun and must come to its end. */
  #arrived(): void {
    this.#idleTimer?.refresh();
    if (this.#queue.unfinished !== null || this.#queue.isClosed || this.#headTimer !== null) return;
    this.#headTimer = this.#world.timers.after(this.#world.settings.helloTimeoutMs, () =>
      this.#object({ reason: 'hello_timeout', detail: null }),
    );
  }

  #ended(): void {
    this.#clientEnded = true;
    if (this.#queue.isClosed) return;
    if (this.#queue.unfinished !== null) return this.cut('client_fin');
    if (this.#current === null && this.#queue.isEmpty) this.#close('client_fin', NOTHING);
  }

  #take(item: NamedItem): void {
    this.#cancelHeadTimer();
    if (!this.#queue.add(item)) return this.#object({ reason: 'flow_limit', detail: null });
    if (this.#queue.isFull) this.#stream?.hold();
    // What came in the same segment is read first: a body that breaks its framing has no request forwarded.
    process.nextTick(() => this.#serveNext());
  }

  /** Answers in its turn, behind the requests that were fine, and takes no more. */
  #object(objection: Objection): void {
    this.#cancelHeadTimer();
    this.#stream?.stopReading();
    this.#queue.close(objection);
    process.nextTick(() => this.#serveNext());
  }

  #bodyBroken(objection: Objection): void {
    const hasAnswered = this.#exchange?.hasAnswered ?? false;
    this.#abortExchange();
    this.#host?.close('client_reset');
    if (hasAnswered) this.cut('client_reset');
    else this.#refuseUnnamed(objection);
  }

  #serveNext(): void {
    if (this.#isOver || this.#current !== null) return;
    const item = this.#queue.next();
    if (!this.#queue.isFull) this.#stream?.readOn();
    if (item === null) return this.#rest();
    if (item.kind === 'objection') return this.#refuseUnnamed(item.objection);
    this.#current = item;
    this.#serve(item).catch(() => this.cut('server_reset'));
  }

  async #serve(item: NamedItem): Promise<void> {
    const { request } = item;
    const head = {
      method: request.method ?? '',
      target: request.url ?? '',
      version: request.httpVersion,
      headers: pairsOf(request.rawHeaders),
    };
    if (head.headers.length + 1 >= DEFAULT_HEAD_LIMITS.maxLines) {
      return this.#refuseUnnamed({ reason: 'hello_too_large', detail: null });
    }
    const judged = judgeRequest(head, this.#role);
    if (judged.kind === 'malformed') {
      return this.#refuseUnnamed({ reason: 'malformed_request', detail: judged.reason });
    }
    const host = await this.#hosts.flowTo(askedOf(judged.target), () => this.#current === item);
    if (host === null) return;
    this.#host = host;
    const reason = host.verdict.decision.reason;
    if (host.isDenied && reason !== null) return this.#refuseHost(host, reason);
    const { path, authority, body } = judged;
    this.#exchange =
      item.kind === 'request'
        ? this.#makeExchange(item, host, {
            path,
            authority,
            hasBody: body !== 'none',
            isChunked: body === 'chunked',
          })
        : this.#makeUpgrade(item, host, { path, authority });
    this.#exchange?.start();
  }

  #makeExchange(
    { request, response }: Extract<NamedItem, { kind: 'request' }>,
    host: HostFlow,
    rest: { path: string; authority: string; hasBody: boolean; isChunked: boolean },
  ): Exchange {
    return new Exchange({
      ...rest,
      request,
      response,
      host,
      isLast: () => this.#isDraining || (this.#clientEnded && this.#queue.isEmpty),
      inform: head => this.#stream?.write(head),
      done: () => this.#served(),
      failed: failure => this.#failed(host, failure),
      broken: () => {
        if (response.writableEnded) return this.#close('server_fin', NOTHING);
        host.close('server_reset');
        this.cut('server_reset');
      },
    });
  }

  #makeUpgrade(
    { request, head }: Extract<NamedItem, { kind: 'upgrade' }>,
    host: HostFlow,
    rest: { path: string; authority: string },
  ): UpgradeExchange | null {
    if (this.#stream === null) return null;
    const stream = this.#stream;
    return new UpgradeExchange({
      ...rest,
      request,
      head,
      stream,
      host,
      world: this.#world,
      switched: relay => {
        this.#relay = relay;
        this.#idleTimer?.cancel();
        this.#source.detach(stream);
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
    if (this.#clientEnded) this.#close('client_fin', NOTHING);
    else if (this.#isDraining) this.#close('drained', NOTHING);
  }

  #failed(host: HostFlow, failure: UpstreamFailure): void {
    host.close(failureEnd(failure), failure.kind === 'dial' ? failure.failure : null);
    this.#close('server_fin', this.#answer(failureAnswer(failure, subjectOf(host.asked))));
  }

  #refuseHost(host: HostFlow, reason: Reason): void {
    host.close('refused');
    this.#refuse(refusalAnswer(reason, null, subjectOf(host.asked)));
  }

  #refuseUnnamed(objection: Objection): void {
    recordUnnamed(objection, 'refused', this.#handed, this.#world);
    this.#refuse(refusalAnswer(objection.reason, objection.detail, 'the request'));
  }

  #refuse(answer: Answer): void {
    switch (this.#world.settings.onDeny) {
      case 'alert':
        return this.#close('server_fin', this.#answer(answer));
      case 'reset':
        return this.cut('server_fin');
      case 'drop':
        return this.#close('server_fin', NOTHING);
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

  /** Says `farewell`, if anything, and hangs up. */
  #close(end: FlowEnd, farewell: Uint8Array): void {
    this.#abortExchange();
    this.#stream?.hangUp(farewell);
    this.#over(end);
  }

  #awaitMore(): void {
    this.#idleTimer = this.#world.timers.after(this.#world.settings.idleTimeoutMs, () => {
      const isAwaited = this.#exchange !== null && !this.#exchange.hasAnswered;
      if (isAwaited && this.#host !== null) this.#failed(this.#host, { kind: 'idle' });
      else this.cut('idle_timeout');
    });
  }

  /** Once node:http has let go of the connection nobody else tells a response that it may go on. */
  #passDrains(): void {
    this.#stream?.on('drain', () => {
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
    this.#idleTimer?.cancel();
    this.#queue.clear();
    if (this.#stream !== null) this.#source.detach(this.#stream);
    this.#host?.close(end);
    this.#hosts.closeAll(end);
    this.#handed.over();
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

/** The sniffers have checked the grammar of both forms. */
function askedOf(target: Target): AskedHost {
  if (target.kind === 'address') {
    return { hostname: null, address: IpAddress.parse(target.ip), port: target.port };
  }
  const parsed = parseHostname(target.hostname);
  return { hostname: parsed.ok ? parsed.hostname : null, address: null, port: target.port };
}

function subjectOf({ hostname, address, port }: AskedHost): string {
  return `${hostname ?? address}:${port}`;
}

function ignore(): void {}
