import type { IpAddress } from '../policy/address.ts';
import type { Decision } from '../policy/decision.ts';
import type { Hostname } from '../policy/hostname.ts';
import type { Clock } from './clock.ts';
import type { DialFailure, FlowEnd, FlowObserver, FlowProtocol, Saying } from './events.ts';
import type { Client, RelayedBytes } from './wire.ts';

/** What is known of one flow for its two records, and the only one who writes them: each once. */
export class FlowRecorder {
  protocol: FlowProtocol = 'unknown';
  hostname: Hostname | null = null;
  dstIp: IpAddress | null = null;
  dstPort = 0;
  readonly client: Client;
  /** By `Clock.nowMs`. */
  acceptedMs: number;
  /** What exactly is malformed. */
  detail: string | null = null;
  /** The hello carried Encrypted Client Hello. */
  ech = false;
  /** The client of a transparent listener dialled an address that its hostname does not resolve to. */
  dstMismatch = false;
  /** A later hello named another host than the one that was judged. */
  isSwitched = false;
  readonly #observer: FlowObserver;
  readonly #clock: Clock;
  readonly #id: string;
  readonly #listener: string;
  #sniffMs = 0;
  #dialStartedMs = 0;
  #dialMs: number | null = null;
  #decision: Saying | null = null;

  constructor(observer: FlowObserver, clock: Clock, id: string, listener: string, client: Client) {
    this.#observer = observer;
    this.#clock = clock;
    this.acceptedMs = clock.nowMs;
    this.#id = id;
    this.#listener = listener;
    this.client = client;
  }

  get isDecided(): boolean {
    return this.#decision !== null;
  }

  /** The client has said, or failed to say, where it wants to go. */
  sniffed(): void {
    this.#sniffMs = this.#clock.nowMs - this.acceptedMs;
  }

  dialing(): void {
    this.#dialStartedMs = this.#clock.nowMs;
  }

  dialed(ip: IpAddress): void {
    this.dstIp = ip;
    this.#dialMs = this.#clock.nowMs - this.#dialStartedMs;
  }

  // Both records spell the identity out: spreading a shared part costs more than the rest of a record.
  decided({ state, action, reason, rule }: Decision): void {
    this.#decision = this.#observer.decided({
      flow: this.#id,
      listener: this.#listener,
      srcIp: this.client.ip.toString(),
      srcPort: this.client.port,
      vpcEndpoint: this.client.vpcEndpoint ?? null,
      dstIp: this.dstIp?.toString() ?? null,
      dstPort: this.dstPort,
      hostname: this.hostname,
      protocol: this.protocol,
      timeMs: this.#clock.epochMs,
      state,
      action,
      reason,
      rule,
      detail: this.detail,
      ech: this.ech,
      dstMismatch: this.dstMismatch,
      sniffMs: this.#sniffMs,
    });
  }

  closed(end: FlowEnd, bytes: RelayedBytes, dialFailure: DialFailure | null): void {
    this.#observer.closed({
      decision: this.#decision ?? 'said',
      flow: this.#id,
      listener: this.#listener,
      srcIp: this.client.ip.toString(),
      srcPort: this.client.port,
      dstIp: this.dstIp?.toString() ?? null,
      dstPort: this.dstPort,
      hostname: this.hostname,
      protocol: this.protocol,
      timeMs: this.#clock.epochMs,
      bytesOut: bytes.out,
      bytesIn: bytes.in,
      durationMs: this.#clock.nowMs - this.acceptedMs,
      end,
      reason: this.isSwitched ? 'name_mismatch' : null,
      dialMs: this.#dialMs,
      dialFailure,
    });
  }
}
