import { IpAddress } from '../policy/address.ts';
import {
  type ProxyEndpoint,
  type ProxyHeader,
  type ProxyProtocolFault,
  parseProxyProtocol,
} from '../sniff/proxy-protocol.ts';
import type { Listener } from './listener.ts';
import { OpeningBuffer } from './opening-buffer.ts';
import type { Timer } from './timers.ts';
import type { Client, Endpoint, WireUser } from './wire.ts';
import type { World } from './world.ts';

const NOTHING = new Uint8Array(0);

/** What a flow has from before it began. */
export interface Begun {
  /** When its connection was accepted, by `Clock.nowMs`. */
  readonly acceptedMs: number;
  /** Runs since then: when it is up, `GatedFlow.helloTimedOut` is called. */
  readonly deadline: Timer;
  /** What the client has said already; only valid during the call. */
  readonly opening: Uint8Array;
}

/** The flow behind the gate. */
export interface GatedFlow extends WireUser {
  helloTimedOut(): void;
}

/** The part of a wire that the gate acts on. */
export interface GatedWire {
  readonly client: Client;
  readonly originalDestination: Endpoint | null;
  /** From now on the wire is one of this client, which was going there. */
  speakFor(client: Client, originalDestination: Endpoint | null): void;
  hangUp(farewell: Uint8Array): void;
  reset(): void;
}

/** Whoever goes on when the gate is through: one of these is called, once. */
export interface GateExits {
  /** Makes the flow of the client that the wire now speaks for, and starts it; null when a limit keeps it out. */
  begin(begun: Begun): GatedFlow | null;
  /** Closes the connection, and records why. */
  refuse(reason: 'malformed_proxy_header' | 'hello_timeout', detail: ProxyProtocolFault | null): void;
  /** The connection is closed, and there was no flow. */
  gone(): void;
}

/**
 * Reads the PROXY protocol header of a trusted peer and lets the flow of the client that it names begin. A peer that
 * leaves before it has spoken for anybody was a health check, of which nothing is recorded.
 */
export class HeaderGate implements WireUser {
  readonly #wire: GatedWire;
  readonly #listener: Listener;
  readonly #world: World;
  readonly #exits: GateExits;
  readonly #peer: Endpoint;
  readonly #acceptedMs: number;
  readonly #deadline: Timer;
  readonly #opening = new OpeningBuffer();
  /** The header was read and names nobody but the peer: a flow begins with what it says itself. */
  #isRead = false;
  #isOver = false;
  #flow: GatedFlow | null = null;

  constructor(wire: GatedWire, listener: Listener, world: World, exits: GateExits) {
    this.#wire = wire;
    this.#listener = listener;
    this.#world = world;
    this.#exits = exits;
    this.#peer = wire.client;
    this.#acceptedMs = world.clock.nowMs;
    this.#deadline = world.timers.after(world.settings.helloTimeoutMs, () => this.#timedOut());
  }

  get wantsBytes(): boolean {
    return !this.#isOver;
  }

  clientBytes(chunk: Uint8Array): void {
    this.#opening.append(chunk);
    if (this.#isRead) this.#begin();
    else this.#sniffHeader();
    if (!this.#isOver) this.#opening.keep();
  }

  clientEnded(): void {
    if (this.#opening.length === 0) return this.#hangUp();
    if (!this.#isOptional) return this.#refuse('malformed_proxy_header');
    const flow = this.#begin();
    if (flow?.wantsBytes) flow.clientEnded();
  }

  clientReset(): void {
    if (this.#opening.length === 0) this.abandon();
    else if (this.#isOptional) this.#begin()?.clientReset();
    else this.#refuse('malformed_proxy_header');
  }

  abandon(): void {
    if (this.#isOver) return;
    this.#end();
    this.#wire.reset();
    this.#exits.gone();
  }

  get #isOptional(): boolean {
    return this.#listener.proxyProtocol?.mode === 'accept';
  }

  #sniffHeader(): void {
    const header = parseProxyProtocol(this.#opening.view());
    switch (header.kind) {
      case 'need-more':
        return;
      case 'malformed':
        // With neither signature begins TLS, SOCKS, or an HTTP method.
        if (header.reason === 'signature' && this.#isOptional) this.#begin();
        else this.#refuse('malformed_proxy_header', header.reason);
        return;
      case 'done':
        this.#opening.consume(header.consumed);
        return this.#heard(header);
      default:
        header satisfies never;
        this.#refuse('malformed_proxy_header');
    }
  }

  #heard({ addresses, vpcEndpointId }: ProxyHeader): void {
    this.#isRead = true;
    if (addresses !== null) {
      const source = endpointOf(addresses.source);
      const client = vpcEndpointId === null ? source : { ...source, vpcEndpoint: vpcEndpointId };
      this.#wire.speakFor(client, this.#destinationOf(addresses.destination));
    }
    // In version 1 HAProxy's health checks name HAProxy itself.
    const isOfPeer = this.#wire.client.ip.equals(this.#peer.ip);
    if (!isOfPeer || this.#opening.length > 0 || this.#wire.originalDestination !== null) this.#begin();
  }

  /** Where the client was going, on a transparent listener; null for one of ours, which would be a loop. */
  #destinationOf(destination: ProxyEndpoint): Endpoint | null {
    if (this.#listener.kind !== 'transparent') return null;
    const { ip, port } = endpointOf(destination);
    return this.#world.guard.isOwn(ip, port) ? null : { ip, port };
  }

  #timedOut(): void {
    if (this.#flow !== null) this.#flow.helloTimedOut();
    else if (this.#isRead) this.#hangUp();
    else if (this.#isOptional) this.#begin()?.helloTimedOut();
    else this.#refuse('hello_timeout');
  }

  #begin(): GatedFlow | null {
    this.#isOver = true;
    this.#flow = this.#exits.begin({
      acceptedMs: this.#acceptedMs,
      deadline: this.#deadline,
      opening: this.#opening.view(),
    });
    if (this.#flow === null) this.#deadline.cancel();
    return this.#flow;
  }

  #refuse(
    reason: 'malformed_proxy_header' | 'hello_timeout',
    detail: ProxyProtocolFault | null = null,
  ): void {
    this.#end();
    this.#exits.refuse(reason, detail);
  }

  #hangUp(): void {
    this.#end();
    this.#wire.hangUp(NOTHING);
    this.#exits.gone();
  }

  #end(): void {
    this.#isOver = true;
    this.#deadline.cancel();
  }
}

/** The parser has checked the text. */
function endpointOf({ ip: text, port }: ProxyEndpoint): Endpoint {
  const ip = IpAddress.parse(text);
  if (ip === null) throw new Error(`${text} is no address`);
  return { ip, port };
}
