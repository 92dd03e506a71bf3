import type { IpAddress } from '../policy/address.ts';
import type { Action, Mode, Ruling, State } from '../policy/decision.ts';
import { type Hostname, parseHostname } from '../policy/hostname.ts';
import type { Policy } from '../policy/policy.ts';
import type { Reason } from '../policy/reason.ts';
import type { ResolvedAddress } from '../resolve/resolver.ts';
import { type ClientHello, type ClientHelloResume, parseClientHello } from '../tls-sni/index.ts';
import { type ClientRequest, RequestReader } from './client-request.ts';
import { chooseAddresses, preferClientChoice } from './destination.ts';
import { type Attempt, Dial } from './dial.ts';
import type { DialFailure, FlowEnd, FlowIdentity, FlowProtocol } from './events.ts';
import { tlsAlert } from './farewell.ts';
import type { Listener } from './listener.ts';
import { OpeningBuffer } from './opening-buffer.ts';
import type { Timer } from './timers.ts';
import { TlsWatch } from './tls-watch.ts';
import type { Endpoint, Wire } from './wire.ts';
import type { World } from './world.ts';

/** In observe mode a client that says nothing for this long waits for the server to speak first. */
const SILENCE_MS = 300;
const NOTHING = new Uint8Array(0);

type Stage = 'request' | 'hello' | 'resolving' | 'dialing' | 'relaying' | 'over';

/** Why the flow would not be allowed, and what the rules said of it. */
interface Objection {
  readonly state: State;
  readonly reason: Reason;
}

/**
 * The life of one flow: sniff, decide, resolve, dial, relay, close. It owns no socket: a data plane's `Wire` calls it
 * with what the client does and acts for it. Every flow writes one decision record and one close record.
 *
 * An objection refuses the flow in enforce mode; in observe mode the flow goes on to where the client wanted to go and
 * the first objection is reported. Some things cannot be done in any mode: dial nowhere, or a forbidden address.
 */
export class Flow<A extends Attempt> {
  readonly #listener: Listener;
  readonly #wire: Wire<A>;
  readonly #world: World;
  readonly #onOver: () => void;
  readonly #id: string;
  readonly #acceptedMs: number;
  readonly #opening = new OpeningBuffer();
  #stage: Stage;
  #sniffMs = 0;
  #helloTimer: Timer | null = null;
  #silenceTimer: Timer | null = null;
  #request: ClientRequest | null = null;
  #granted = false;
  readonly #requestReader: RequestReader | null;
  #helloResume: ClientHelloResume | undefined;
  #protocol: FlowProtocol = 'unknown';
  #hostname: Hostname | null = null;
  #target: Endpoint | null;
  #port: number;
  #policy: Policy | null = null;
  #ruling: Ruling | null = null;
  #objection: Objection | null = null;
  #addresses: readonly IpAddress[] | null = null;
  #watch: TlsWatch | null = null;
  #dial: Dial<A> | null = null;
  #dialStartedMs = 0;
  #dialMs: number | null = null;
  #dstIp: IpAddress | null;
  #decided = false;

  /** `onOver` is called once, right after the close record. */
  constructor(listener: Listener, wire: Wire<A>, world: World, onOver: () => void) {
    this.#listener = listener;
    this.#wire = wire;
    this.#world = world;
    this.#onOver = onOver;
    this.#id = world.nextFlowId();
    this.#acceptedMs = performance.now();
    this.#stage = listener.kind === 'explicit' ? 'request' : 'hello';
    this.#requestReader = listener.kind === 'explicit' ? new RequestReader(listener.gateway) : null;
    this.#target = wire.originalDestination;
    this.#dstIp = this.#target?.ip ?? null;
    this.#port = this.#target?.port ?? (listener.kind === 'sni' ? listener.upstreamPort : 0);
  }

  // --- what the wire tells -------------------------------------------------------------------------------------

  /** The first call. */
  start(): void {
    const { settings, timers } = this.#world;
    if (this.#listener.kind === 'transparent' && this.#target === null) {
      return this.#refuse('destination_forbidden', 'DENIED');
    }
    this.#helloTimer = timers.after(settings.helloTimeoutMs, () => this.#unheard('hello_timeout'));
    if (this.#stage === 'hello') this.#listenForSilence();
  }

  /** Refuses the flow before anything is read. */
  refuseAtOnce(limit: 'flow_limit' | 'source_limit'): void {
    this.#refuse(limit, 'DENIED');
  }

  /** Whether the client's bytes are wanted now. Otherwise they stay in the kernel. */
  get wantsBytes(): boolean {
    return this.#stage === 'request' || this.#stage === 'hello';
  }

  /** Bytes from the client, while they are wanted. `chunk` is only valid during the call. */
  clientBytes(chunk: Uint8Array): void {
    this.#opening.append(chunk);
    this.#silenceTimer?.cancel();
    if (this.#stage === 'request') this.#sniffRequest();
    if (this.#stage === 'hello') this.#sniffHello();
    if (this.#stage !== 'over' && this.#stage !== 'relaying') this.#opening.keep();
  }

  /** The client's FIN, while bytes are wanted. */
  clientEnded(): void {
    if (this.#opening.length === 0) this.#refuse('client_closed');
    else this.#unheard('client_closed');
  }

  /** The client's reset, before the relay. */
  clientReset(): void {
    if (this.#stage === 'over') return;
    if (!this.#decided) this.#decide('deny', 'client_closed');
    this.#wire.reset();
    this.#over('client_reset');
  }

  /** Ends the flow from outside, before the relay. */
  abandon(end: FlowEnd): void {
    if (this.#stage === 'over') return;
    if (!this.#decided) this.#decide('deny', this.#objection?.reason ?? 'client_closed');
    this.#wire.reset();
    this.#over(end);
  }

  // --- sniff ---------------------------------------------------------------------------------------------------

  #listenForSilence(): void {
    if (this.#target === null && this.#request === null) return;
    if (this.#opening.length > 0 || this.#mode() !== 'observe') return;
    this.#silenceTimer = this.#world.timers.after(SILENCE_MS, () => {
      this.#protocol = 'tcp';
      this.#unheard('hello_timeout');
    });
  }

  #sniffRequest(): void {
    const result = this.#requestReader?.read(this.#opening.view());
    if (result === undefined || result.kind === 'need-more') return;
    if (result.kind === 'reply') {
      this.#opening.consume(result.consumed);
      this.#wire.reply(result.bytes);
      return this.#sniffRequest();
    }
    if (result.kind === 'refuse') {
      this.#protocol = result.protocol;
      return this.#refuse(result.reason, 'NO_MATCH', result.farewell);
    }
    this.#opening.consume(result.consumed);
    this.#requested(result.request);
  }

  #sniffHello(): void {
    const result = parseClientHello(this.#opening.view(), this.#helloResume);
    switch (result.kind) {
      case 'need-more':
        if (this.#opening.length > 0) this.#protocol = 'tls';
        this.#helloResume = result.resume;
        if (result.atLeast > this.#world.settings.helloBytes) this.#unheard('hello_too_large');
        return;
      case 'malformed':
        this.#protocol = 'tls';
        return this.#unheard('malformed_hello');
      case 'not-tls':
        return this.#unheard('not_tls');
      case 'done':
        this.#protocol = 'tls';
        return this.#heard(result, result.consumed);
      default:
        result satisfies never;
        return this.#unheard('not_tls');
    }
  }

  // --- decide --------------------------------------------------------------------------------------------------

  /** The client has named its destination in a CONNECT or SOCKS request. */
  #requested(request: ClientRequest): void {
    this.#request = request;
    this.#protocol = request.protocol;
    this.#hostname = request.hostname;
    this.#port = request.port;
    if (request.address !== null) {
      this.#target = { ip: request.address, port: request.port };
      this.#dstIp = request.address;
    }
    this.#sniffed();
    if (this.#judgeName()) this.#resolve(() => this.#grant());
  }

  /** A whole ClientHello, of `consumed` bytes, has arrived. */
  #heard(hello: ClientHello, consumed: number): void {
    this.#sniffed();
    const named = hello.serverName === null ? null : parseHostname(hello.serverName);
    if (named?.ok === false) return this.#unheard('malformed_hello');
    const name = named?.hostname ?? null;
    if (this.#request?.hostname == null) {
      this.#hostname = name;
      if (this.#request === null && !this.#judgeName()) return;
    } else if (name !== this.#hostname) {
      if (this.#object(name === null ? 'no_hostname' : 'name_mismatch', 'DENIED')) return;
    }
    if (hello.ech && this.#ruling?.ech === 'deny' && this.#object('ech', 'DENIED')) return;
    if (this.#watchOn(hello, consumed)) return;
    this.#onward();
  }

  /** What we got is no hello that we can judge: refuse, or forward it unread where we only observe. */
  #unheard(reason: Reason): void {
    this.#sniffed();
    if (this.#stage === 'request') return this.#refuse(reason, 'NO_MATCH');
    const state = this.#ruling?.state === 'MATCHED' ? 'DENIED' : 'NO_MATCH';
    if (!this.#object(reason, state)) this.#onward();
  }

  /** Holds the hostname against the policy. True when the flow goes on. */
  #judgeName(): boolean {
    this.#policy ??= this.#world.policy();
    const query = {
      hostname: this.#hostname,
      port: this.#port,
      source: this.#wire.client.ip,
      nowMs: Date.now(),
    };
    this.#ruling = this.#policy.decide(query);
    const { state, reason } = this.#ruling;
    return reason === null || !this.#object(reason, state);
  }

  /**
   * Keeps watching the handshake until the server has chosen: after a HelloRetryRequest a second hello could name
   * another host. What came after the first hello is seen to at once. True when that ends the flow.
   */
  #watchOn(hello: ClientHello, consumed: number): boolean {
    const watch = new TlsWatch(hello, {
      cuts: this.#mode() === 'enforce',
      maxHeld: this.#world.settings.helloBytes,
    });
    const bytes = this.#opening.view();
    if (bytes.length > consumed) {
      const passed = watch.fromClient(bytes.subarray(consumed));
      if (watch.violated && this.#object('name_mismatch', 'DENIED')) return true;
      if (passed !== null) this.#opening.replace(Buffer.concat([bytes.subarray(0, consumed), passed]));
    }
    this.#watch = watch;
    return false;
  }

  /** Notes what speaks against the flow. True when that ends it, as in enforce mode it does. */
  #object(reason: Reason, state: State): boolean {
    this.#objection ??= { reason, state };
    if (this.#mode() === 'observe') return false;
    this.#refuse(reason, state);
    return true;
  }

  #mode(): Mode {
    if (this.#ruling !== null) return this.#ruling.mode;
    this.#policy ??= this.#world.policy();
    return this.#policy.modeOf(this.#wire.client.ip, Date.now());
  }

  // --- resolve and dial ----------------------------------------------------------------------------------------

  #onward(): void {
    if (this.#addresses === null) this.#resolve(() => this.#dialOut());
    else this.#dialOut();
  }

  /** Finds the addresses to dial and holds them against the destination guard, then goes on with `next`. */
  #resolve(next: () => void): void {
    this.#stage = 'resolving';
    const target = this.#chosenByClient();
    if (target !== null) {
      return this.#guard([{ ip: target, guard: this.#world.guard.judge(target) }], next);
    }
    if (this.#hostname === null) {
      return this.#refuse(this.#objection?.reason ?? 'no_hostname', this.#objection?.state ?? 'NO_MATCH');
    }
    this.#world.resolver.resolve(this.#hostname, resolution => {
      if (this.#stage !== 'resolving') return;
      if (resolution.ok) this.#guard(resolution.addresses, next);
      else this.#refuse('unresolvable', this.#ruling?.state ?? 'NO_MATCH');
    });
  }

  /** The address that the client itself chose, where that is the one to dial. */
  #chosenByClient(): IpAddress | null {
    if (this.#target === null) return null;
    const trusted = this.#listener.kind === 'transparent' && this.#listener.destination === 'original';
    return trusted || this.#mode() === 'observe' ? this.#target.ip : null;
  }

  #guard(candidates: readonly ResolvedAddress[], next: () => void): void {
    const { guard } = this.#world;
    const { addresses, onlyObserved } = chooseAddresses(candidates, {
      allowPrivate: this.#ruling?.allowPrivate ?? false,
      observing: this.#mode() === 'observe',
      isOwn: ip => guard.isOwn(ip, this.#port),
    });
    if (addresses.length === 0) return this.#refuse('destination_forbidden', 'DENIED');
    if (onlyObserved) this.#objection ??= { reason: 'destination_forbidden', state: 'DENIED' };
    this.#addresses = addresses;
    if (this.#target !== null && this.#listener.kind === 'transparent') {
      const preferred = preferClientChoice(addresses, this.#target.ip);
      if (preferred === null && this.#listener.destination === 'verify') {
        return this.#refuse('destination_mismatch', 'DENIED');
      }
      this.#addresses = preferred ?? addresses;
    }
    next();
  }

  /** Tells the client of an explicit listener to go ahead; nothing is dialled before its hello was judged too. */
  #grant(): void {
    if (this.#request === null) return;
    this.#stage = 'hello';
    this.#granted = true;
    this.#wire.reply(this.#request.granted);
    const { settings, timers } = this.#world;
    this.#helloTimer = timers.after(settings.helloTimeoutMs, () => this.#unheard('hello_timeout'));
    if (this.#opening.length > 0) return this.#sniffHello();
    this.#listenForSilence();
    this.#wire.readOn();
  }

  #dialOut(): void {
    const addresses = this.#addresses ?? [];
    this.#dstIp = addresses[0] ?? null;
    this.#stage = 'dialing';
    this.#decide(this.#objection === null ? 'allow' : 'would-deny', this.#objection?.reason ?? null);
    this.#dialStartedMs = performance.now();
    this.#dial = new Dial<A>({
      addresses,
      port: this.#port,
      connect: this.#wire.connect,
      timers: this.#world.timers,
      timeoutMs: this.#world.settings.dialTimeoutMs,
      done: outcome => {
        this.#dial = null;
        if (outcome.ok) this.#relay(outcome.attempt, outcome.ip);
        else this.#dialFailed(outcome.failure);
      },
    });
  }

  #dialFailed(failure: DialFailure): void {
    this.#wire.reset();
    this.#over('dial_failed', failure);
  }

  // --- relay and close -----------------------------------------------------------------------------------------

  #relay(upstream: A, ip: IpAddress): void {
    this.#stage = 'relaying';
    this.#dstIp = ip;
    this.#dialMs = performance.now() - this.#dialStartedMs;
    const head = this.#opening.take();
    const watch = this.#watch;
    this.#watch = null;
    this.#wire.relay(upstream, head, watch, end => this.#over(end));
  }

  #refuse(reason: Reason, state: State = 'NO_MATCH', farewell = this.#farewell(reason)): void {
    if (this.#stage === 'over') return;
    this.#sniffed();
    this.#objection = { reason, state };
    this.#decide('deny', reason);
    switch (this.#world.settings.onDeny) {
      case 'reset':
        this.#wire.reset();
        break;
      case 'drop':
        this.#wire.hangUp(NOTHING);
        break;
      default:
        this.#wire.hangUp(farewell);
    }
    this.#over('refused');
  }

  /** What tells the client, in the protocol it speaks, that it was refused. */
  #farewell(reason: Reason): Uint8Array {
    if (reason === 'client_closed') return NOTHING;
    if (this.#requestReader !== null && this.#request === null) return this.#requestReader.refusal(reason);
    if (this.#request !== null && !this.#granted) return this.#request.refusal(reason);
    return this.#protocol === 'tls' ? tlsAlert(reason) : NOTHING;
  }

  #sniffed(): void {
    this.#helloTimer?.cancel();
    this.#silenceTimer?.cancel();
    this.#sniffMs = performance.now() - this.#acceptedMs;
  }

  #decide(action: Action, reason: Reason | null): void {
    this.#decided = true;
    this.#world.observer.decided({
      ...this.#identity(),
      timeMs: Date.now(),
      state: this.#objection?.state ?? this.#ruling?.state ?? 'NO_MATCH',
      action,
      reason,
      rule:
        this.#ruling === null || this.#ruling.rule < 0
          ? null
          : (this.#policy?.ruleName(this.#ruling.rule) ?? null),
      sniffMs: this.#sniffMs,
    });
  }

  #over(end: FlowEnd, dialFailure: DialFailure | null = null): void {
    if (this.#stage === 'over') return;
    this.#stage = 'over';
    this.#helloTimer?.cancel();
    this.#silenceTimer?.cancel();
    this.#dial?.cancel();
    const { out, in: back } = this.#wire.relayed;
    this.#world.observer.closed({
      ...this.#identity(),
      timeMs: Date.now(),
      bytesOut: out,
      bytesIn: back,
      durationMs: performance.now() - this.#acceptedMs,
      end,
      dialMs: this.#dialMs,
      dialFailure,
    });
    this.#onOver();
  }

  #identity(): FlowIdentity {
    return {
      flow: this.#id,
      listener: this.#listener.name,
      srcIp: this.#wire.client.ip.toString(),
      srcPort: this.#wire.client.port,
      dstIp: this.#dstIp?.toString() ?? null,
      dstPort: this.#port,
      hostname: this.#hostname,
      protocol: this.#protocol,
    };
  }
}
