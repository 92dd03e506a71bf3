import type { IpAddress } from '../policy/address.ts';
import type { Action } from '../policy/decision.ts';
import type { Hostname } from '../policy/hostname.ts';
import type { TcpRuling } from '../policy/policy.ts';
import type { Reason } from '../policy/reason.ts';
import {
  ENCRYPTION_REQUEST_BYTES,
  type EncryptionRequest,
  encryptionAnswer,
  encryptionRequest,
  readEncryptionAnswer,
} from '../sniff/postgres.ts';
import type { ClientHello } from '../tls-sni/index.ts';
import { type ClientRequest, RequestReader } from './client-request.ts';
import { objectionNow } from './denied-now.ts';
import type { Attempt } from './dial.ts';
import type { DialFailure, FlowEnd } from './events.ts';
import { FlowRecorder } from './flow-recorder.ts';
import type { Begun, GatedFlow } from './header-gate.ts';
import { HelloReader } from './hello-reader.ts';
import { Judgement } from './judgement.ts';
import type { Listener } from './listener.ts';
import { OpeningBuffer } from './opening-buffer.ts';
import type { OpeningLimit } from './openings.ts';
import { Reach } from './reach.ts';
import { relayRecorded } from './relay-recorded.ts';
import { findRoute } from './route.ts';
import type { Timer } from './timers.ts';
import { TlsWatch } from './tls-watch.ts';
import type { Endpoint, Wire } from './wire.ts';
import type { World } from './world.ts';

/** In observe mode a client that says nothing for this long waits for the server to speak first. */
const SILENCE_MS = 300;
const NOTHING = new Uint8Array(0);

type Stage = 'request' | 'hello' | 'resolving' | 'dialing' | 'relaying' | 'over';

/** Why plain HTTP could not be judged. */
export interface Unjudged {
  readonly reason: Reason;
  /** What exactly is malformed; null where nothing is. */
  readonly detail: string | null;
}

/**
 * The life of one flow: sniff, decide, resolve, dial, relay, close. It owns no socket: a data plane's `Wire` calls it
 * with what the client does and acts for it. Every flow writes one decision record and one close record.
 *
 * What speaks against a flow refuses it in enforce mode; in observe mode it goes on to where the client wanted to go
 * and is reported. Some things no mode can do: dial nowhere, or a forbidden address.
 */
export class Flow<A extends Attempt> implements GatedFlow {
  readonly #listener: Listener;
  readonly #wire: Wire<A>;
  readonly #world: World;
  readonly #onOver: () => void;
  readonly #judgement: Judgement;
  /** What is known of the flow so far. */
  readonly record: FlowRecorder;
  #stage: Stage;
  /** It counts among the openings that are awaited. */
  #isAwaited = true;
  readonly #opening = new OpeningBuffer();
  readonly #requestReader: RequestReader | null;
  #request: ClientRequest | null = null;
  #isGranted = false;
  /** A tcp rule has judged it: nothing that is said on the wire is looked at. */
  #isTcp = false;
  readonly #helloReader: HelloReader;
  #watch: TlsWatch | null = null;
  #helloTimer: Timer | null = null;
  #silenceTimer: Timer | null = null;
  /** The address that the client itself chose. */
  #target: Endpoint | null;
  #addresses: readonly IpAddress[] | null = null;
  readonly #reach: Reach<A>;
  /** What the upstream has to agree to before it gets the hello. */
  #toAsk: EncryptionRequest | null = null;

  /** The caller has entered it in the world's openings. `onOver` is called once, right after the close record. */
  constructor(listener: Listener, wire: Wire<A>, world: World, onOver: () => void) {
    this.#listener = listener;
    this.#wire = wire;
    this.#world = world;
    this.#onOver = onOver;
    this.#judgement = new Judgement(world.policy, wire.client, world.clock);
    this.#stage = listener.kind === 'explicit' ? 'request' : 'hello';
    this.#requestReader =
      listener.kind === 'explicit' ? new RequestReader(listener.gateway, world.settings.helloBytes) : null;
    this.#helloReader = new HelloReader(world.settings.helloBytes);
    this.#target = wire.originalDestination;
    this.record = new FlowRecorder(
      world.observer,
      world.clock,
      world.nextFlowId(),
      listener.name,
      wire.client,
    );
    this.#reach = new Reach(listener, wire, world, this.record);
    this.record.dstIp = this.#target?.ip ?? null;
    this.record.dstPort = this.#target?.port ?? (listener.kind === 'sni' ? listener.upstreamPort : 0);
  }

  /** The first call. */
  start(begun: Begun | null = null): void {
    if (begun !== null) this.#goesOnFrom(begun);
    if (this.#listener.kind === 'transparent' && this.#target === null) {
      this.#judgement.forbid('destination_forbidden', 'DENIED');
      return this.#refuse();
    }
    if (this.#isJudgedByAddress()) return this.#goOn(() => this.#onward());
    if (this.#helloTimer === null) this.#awaitHello();
    if (this.#opening.length > 0) this.#sniff();
    else if (this.#stage === 'hello') this.#awaitSilence();
  }

  /** Refuses the flow before anything is read. Instead of `start`. */
  refuseAtOnce(limit: 'flow_limit' | 'source_limit'): void {
    this.#judgement.forbid(limit, 'DENIED');
    this.#refuse();
  }

  /** Takes on what was handed over as plain HTTP and could not be judged as such. Instead of `start`. */
  takeBack(opening: Uint8Array, { reason, detail }: Unjudged): void {
    this.#isAwaited = false;
    this.#opening.replace(opening);
    this.record.protocol = 'http';
    this.record.detail = detail;
    this.#unheard(reason);
  }

  /** Whether the client's bytes are wanted now. Otherwise they stay in the kernel. */
  get wantsBytes(): boolean {
    return this.#stage === 'request' || this.#stage === 'hello';
  }

  /** Bytes from the client, while they are wanted. `chunk` is only valid during the call. */
  clientBytes(chunk: Uint8Array): void {
    this.#opening.append(chunk);
    this.#silenceTimer?.cancel();
    this.#sniff();
  }

  /** The client's FIN, while bytes are wanted. */
  clientEnded(): void {
    if (this.#opening.length > 0) return this.#unheard('client_closed');
    this.#sniffed();
    this.#judgement.giveUp('client_closed');
    this.#refuse();
  }

  /** The client's reset, before the relay. */
  clientReset(): void {
    this.abandon('client_reset');
  }

  helloTimedOut(): void {
    if (this.wantsBytes) this.#unheard('hello_timeout');
  }

  /** Ends the flow from outside, before the relay. */
  abandon(end: FlowEnd): void {
    if (this.#stage === 'over') return;
    if (!this.record.isDecided) {
      if (this.wantsBytes) this.#sniffed();
      if (end === 'policy_changed') this.#judgeAnew();
      else this.#judgement.giveUp(end === 'client_reset' ? 'client_closed' : 'drained');
      this.#decide('deny');
    }
    this.#wire.reset();
    this.#over(end);
  }

  #judgeAnew(): void {
    const { hostname, dstPort } = this.record;
    const world = this.#world;
    const objection = objectionNow(world.policy(), world, this.record, world.clock.epochMs);
    this.#judgement.judgeAnew(hostname, dstPort, this.#isTcp ? world.tcpAddresses() : null, objection);
  }

  /** Whether a tcp rule speaks of where a transparent flow is going, which is known before anything is said. */
  #isJudgedByAddress(): boolean {
    if (this.#listener.kind !== 'transparent' || this.#target === null) return false;
    const { ip, port } = this.#target;
    const ruling = this.#judgement.judgeAddress(ip, port, this.#world.tcpAddresses());
    if (ruling !== null) this.#judgedAsTcp(ruling);
    return ruling !== null;
  }

  #judgedAsTcp({ hostname }: TcpRuling): void {
    this.#isTcp = true;
    this.#sniffed();
    this.record.protocol = 'tcp';
    this.record.hostname ??= hostname;
  }

  #goesOnFrom({ acceptedMs, deadline, opening }: Begun): void {
    this.record.acceptedMs = acceptedMs;
    this.#helloTimer = deadline;
    if (opening.length > 0) this.#opening.replace(Uint8Array.from(opening));
  }

  #awaitHello(): void {
    const { settings, timers } = this.#world;
    this.#helloTimer = timers.after(settings.helloTimeoutMs, () => this.#unheard('hello_timeout'));
  }

  /** Whether the flow goes on whatever its client says. */
  get #isForwarded(): boolean {
    const { ip, vpcEndpoint } = this.#wire.client;
    const isSomewhereToGo = this.#target !== null || this.#request !== null;
    // Not through the judgement: it takes its policy snapshot when there is something to judge.
    const mode = this.#world.policy().modeOf(ip, this.#world.clock.epochMs, vpcEndpoint);
    return isSomewhereToGo && mode === 'observe';
  }

  #awaitSilence(): void {
    if (!this.#isForwarded) return;
    this.#silenceTimer = this.#world.timers.after(SILENCE_MS, () => {
      this.record.protocol = 'tcp';
      this.#unheard('hello_timeout');
    });
  }

  #sniff(): void {
    if (this.#stage === 'request') this.#sniffRequest();
    else this.#sniffHello();
    if (this.#stage !== 'over') this.#opening.keep();
  }

  #sniffRequest(): void {
    const read = this.#requestReader?.read(this.#opening.view());
    switch (read?.kind) {
      case undefined:
      case 'need-more':
        return;
      case 'reply':
        this.#opening.consume(read.consumed);
        this.#wire.reply(read.bytes);
        return this.#sniffRequest();
      case 'refuse':
        this.#sniffed();
        this.record.protocol = read.protocol;
        this.record.detail = read.detail;
        this.#judgement.object(read.reason);
        return this.#refuse(read.farewell);
      case 'request':
        this.#opening.consume(read.consumed);
        return this.#requested(read.request);
      case 'http':
        return this.#handOver();
      default:
        read satisfies never;
        this.#judgement.object('malformed_request');
        return this.#refuse();
    }
  }

  #sniffHello(): void {
    const read = this.#helloReader.read(this.#opening.view());
    // Inside a tunnel only the tunnel's destination counts.
    if (read.protocol === 'http' && this.#request === null) return this.#handOver();
    this.record.protocol = read.protocol;
    switch (read.kind) {
      case 'need-more':
        return;
      case 'asks':
        return this.#asked(read.request);
      case 'hello':
        return this.#heard(read.hello, read.hostname, read.consumed);
      case 'unreadable':
        this.record.detail = read.detail;
        return this.#unheard(read.reason);
      default:
        read satisfies never;
        this.#unheard('not_tls');
    }
  }

  /** A PostgreSQL client wants to go on encrypted. Only then it says its hello, so we answer before anyone is asked. */
  #asked(request: EncryptionRequest): void {
    this.#opening.consume(ENCRYPTION_REQUEST_BYTES);
    if (this.#isForwarded) return this.#askFirst(request);
    if (request === 'ssl') this.#toAsk = request;
    this.#wire.reply(encryptionAnswer(request === 'ssl'));
  }

  /**
   * Observing, it is the server who answers, so that the client gets what it would get without us. What becomes of the flow
   * is decided, as ever, when its hello is there.
   */
  #askFirst(request: EncryptionRequest): void {
    this.#helloTimer?.cancel();
    const ask = () => this.#ask(request, answer => this.#answeredFirst(request, answer));
    const dial = () => this.#dial(true, ask);
    if (this.#reach.isConnected) ask();
    else if (this.#addresses === null) this.#resolve(dial);
    else dial();
  }

  #answeredFirst(request: EncryptionRequest, answer: Uint8Array | null): void {
    if (answer !== null) this.#wire.reply(answer);
    const read = readEncryptionAnswer(answer);
    if (read === 'other' || (read === 'yes' && request !== 'ssl')) return this.#unheard('not_tls');
    if (read === 'yes') this.#toAsk = request;
    // Of a transparent flow only now a name is heard that its destination can be compared with.
    if (this.#request === null) this.#addresses = null;
    this.#stage = 'hello';
    this.#awaitHello();
    this.#wire.readOn();
  }

  /** The client has named its destination in a CONNECT or SOCKS request. */
  #requested(request: ClientRequest): void {
    this.#sniffed();
    this.#request = request;
    this.record.protocol = request.protocol;
    this.record.hostname = request.hostname;
    this.record.dstPort = request.port;
    if (request.address !== null) {
      this.#target = { ip: request.address, port: request.port };
      this.record.dstIp = request.address;
    }
    const known = this.#world.tcpAddresses();
    const tcp = this.#judgement.judgeRequest(request.hostname, request.address, request.port, known);
    if (tcp !== null) this.#judgedAsTcp(tcp);
    this.#goOn(() => this.#resolve(() => this.#grant()));
  }

  /** A whole ClientHello, of `consumed` bytes, has arrived. */
  #heard(hello: ClientHello, hostname: Hostname | null, consumed: number): void {
    this.#sniffed();
    if (this.#request === null) {
      this.record.hostname = hostname;
      this.#judgement.judge(hostname, this.record.dstPort);
    } else if (this.record.hostname === null) {
      this.record.hostname = hostname;
    } else if (hostname !== this.record.hostname) {
      this.#judgement.object(hostname === null ? 'no_hostname' : 'name_mismatch');
    }
    this.record.ech = hello.ech;
    if (hello.ech && this.#judgement.ech !== 'outer') this.#judgement.object('ech');
    this.#watchFrom(hello, consumed);
    this.#goOn(() => this.#onward());
  }

  /** What came is no hello that could be judged: refuse, or forward it unread where we only observe. */
  #unheard(reason: Reason): void {
    this.#sniffed();
    this.#judgement.object(reason);
    if (this.#stage === 'request') this.#refuse();
    else this.#goOn(() => this.#onward());
  }

  /**
   * Watches the handshake until the server has chosen: after a HelloRetryRequest a second hello could name another
   * host. What came right behind the first hello is seen to at once.
   */
  #watchFrom(hello: ClientHello, consumed: number): void {
    const { helloBytes } = this.#world.settings;
    const record = this.record;
    this.#watch = new TlsWatch(hello, {
      cuts: !this.#judgement.isObserving,
      maxHeld: helloBytes,
      onViolation: () => {
        record.isSwitched = true;
      },
    });
    const bytes = this.#opening.view();
    if (bytes.length === consumed) return;
    const passed = this.#watch.fromClient(bytes.subarray(consumed));
    if (this.#watch.violated) this.#judgement.object('name_mismatch');
    this.#opening.replace(Buffer.concat([bytes.subarray(0, consumed), passed ?? NOTHING]));
  }

  /** Ends this flow without records: those of plain HTTP are written where its requests are judged. */
  #handOver(): void {
    this.#stage = 'over';
    this.#heardOut();
    this.#wire.handOver(this.#opening.take(), this.#onOver);
  }

  #goOn(next: () => void): void {
    if (this.#judgement.isRefused) this.#refuse();
    else next();
  }

  #onward(): void {
    if (this.#addresses === null) this.#resolve(() => this.#dialOut());
    else this.#dialOut();
  }

  /** Finds the addresses to dial, then goes on with `next`. */
  #resolve(next: () => void): void {
    this.#stage = 'resolving';
    const route = {
      listener: this.#listener,
      world: this.#world,
      judgement: this.#judgement,
      record: this.record,
      target: this.#target,
      isTcp: this.#isTcp,
    };
    findRoute(route, addresses => {
      if (this.#stage !== 'resolving') return;
      if (addresses === null) return this.#refuse();
      this.#addresses = addresses;
      next();
    });
  }

  /** Tells the client of an explicit listener to go ahead; nothing is dialled before its hello was judged too. */
  #grant(): void {
    if (this.#request === null) return;
    const limit = this.#isTcp ? null : this.#awaitMore();
    if (limit !== null) {
      this.#judgement.forbid(limit, 'DENIED');
      return this.#refuse();
    }
    this.#stage = 'hello';
    this.#isGranted = true;
    this.#wire.reply(this.#request.granted);
    if (this.#isTcp) return this.#dialOut();
    this.#awaitHello();
    if (this.#opening.length > 0) this.#sniffHello();
    else this.#awaitSilence();
    if (this.wantsBytes) this.#wire.readOn();
  }

  #dialOut(): void {
    const isThere = this.#reach.isConnected && this.#judgement.isObserving;
    if (!isThere) {
      this.#reach.abort();
      this.record.dstIp = this.#addresses?.[0] ?? null;
    }
    this.#decide(this.#judgement.reason === null ? 'allow' : 'would-deny');
    if (isThere) return this.#relay();
    this.#dial(this.#opening.length > 0, () => {
      if (this.#toAsk === null) return this.#relay();
      this.#ask(this.#toAsk, answer => {
        if (readEncryptionAnswer(answer) === 'yes') return this.#relay();
        this.#wire.reset();
        this.#over('tls_refused');
      });
    });
  }

  #dial(sendsFirst: boolean, connected: () => void): void {
    this.#stage = 'dialing';
    this.#reach.dial(this.#addresses ?? [], sendsFirst, failure => {
      if (failure === null) connected();
      else this.#dialFailed(failure);
    });
  }

  #ask(request: EncryptionRequest, answered: (answer: Uint8Array | null) => void): void {
    this.#stage = 'dialing';
    this.#reach.ask(encryptionRequest(request), answered);
  }

  /** The flow's last act but for its close record. It may idle for hours: what its beginning needed is let go here. */
  #relay(): void {
    this.#stage = 'relaying';
    const head = this.#reach.firstBytes(this.#opening.take());
    relayRecorded(this.#wire, this.record, this.#onOver, this.#reach.take(), head, this.#watch);
  }

  #dialFailed(failure: DialFailure): void {
    if (!this.record.isDecided) {
      this.#sniffed();
      this.#judgement.giveUp('client_closed');
      this.#decide('deny');
    }
    this.#wire.reset();
    this.#over('dial_failed', failure);
  }

  /** Ends the flow with what the judgement says against it. */
  #refuse(farewell = this.#farewell()): void {
    this.#decide('deny');
    const { onDeny } = this.#world.settings;
    if (onDeny === 'reset') this.#wire.reset();
    else this.#wire.hangUp(onDeny === 'alert' ? farewell : NOTHING);
    this.#over('refused');
  }

  /** What tells the client, in the protocol that it speaks, that it was refused. */
  #farewell(): Uint8Array {
    const reason = this.#judgement.reason;
    if (reason === null || reason === 'client_closed') return NOTHING;
    if (this.#request !== null && !this.#isGranted) return this.#request.refusal(reason);
    if (this.#requestReader !== null && this.#request === null) return this.#requestReader.refusal(reason);
    return this.#helloReader.refusal(reason);
  }

  #sniffed(): void {
    this.#heardOut();
    this.record.sniffed();
  }

  /** Nothing is awaited from the client any more. */
  #heardOut(): void {
    this.#helloTimer?.cancel();
    this.#silenceTimer?.cancel();
    if (!this.#isAwaited) return;
    this.#isAwaited = false;
    this.#world.openings.leave(this.#wire.client.ip);
  }

  /** After a CONNECT or SOCKS request was granted its hello is awaited, as the request was. */
  #awaitMore(): OpeningLimit | null {
    const limit = this.#world.openings.tryEnter(this.#wire.client.ip);
    this.#isAwaited = limit === null;
    return limit;
  }

  #decide(action: Action): void {
    this.record.decided(this.#judgement.decision(action));
  }

  #over(end: FlowEnd, dialFailure: DialFailure | null = null): void {
    if (this.#stage === 'over') return;
    this.#stage = 'over';
    this.#heardOut();
    this.#reach.abort();
    this.record.closed(end, this.#wire.relayed, dialFailure);
    this.#onOver();
  }
}
