import type { DialFailure, FlowEnd } from '../events.ts';
import { FlowRecorder } from '../flow-recorder.ts';
import type { RelayedBytes } from '../wire.ts';
import type { AskedHost, HostVerdict } from './host-verdict.ts';
import type { HttpOrigin, HttpWorld } from './http-world.ts';
import { Upstream } from './upstream.ts';

export interface HostFlowOptions {
  readonly asked: AskedHost;
  readonly origin: HttpOrigin;
  readonly world: HttpWorld;
  /** What the rules alone said. */
  readonly ruling: string;
  readonly verdict: HostVerdict;
  /** Something has moved. */
  readonly active: () => void;
}

/**
 * What one client connection does with one host and port: to the observer a flow of its own, with one decision and one
 * close record, however many requests it has.
 */
export class HostFlow {
  readonly asked: AskedHost;
  readonly upstream: Upstream;
  readonly active: () => void;
  ruling: string;
  readonly verdict: HostVerdict;
  readonly #record: FlowRecorder;
  /** Relayed after a change of protocol. */
  readonly #raw = { out: 0, in: 0 };
  #isClosed = false;

  /** Writes the decision record. */
  constructor({ asked, origin, world, ruling, verdict, active }: HostFlowOptions) {
    this.asked = asked;
    this.active = active;
    this.ruling = ruling;
    this.verdict = verdict;
    this.#record = new FlowRecorder(
      world.observer,
      world.clock,
      world.nextFlowId(),
      origin.listener.name,
      origin.client,
    );
    this.#record.protocol = 'http';
    this.#record.hostname = asked.hostname;
    this.#record.dstIp = verdict.dstIp;
    this.#record.dstPort = asked.port;
    this.#record.sniffed();
    this.#record.decided(verdict.decision);
    this.upstream = new Upstream(asked.port, origin, world, {
      dialing: () => this.#record.dialing(),
      dialed: ip => this.#record.dialed(ip),
    });
    this.upstream.addresses = verdict.addresses;
  }

  /** Whether a later verdict says the same; if so the next dial goes where it says. */
  takes(verdict: HostVerdict, ruling: string): boolean {
    if (JSON.stringify(verdict.decision) !== JSON.stringify(this.verdict.decision)) return false;
    this.ruling = ruling;
    this.upstream.addresses = verdict.addresses;
    return true;
  }

  movedRaw(bytesOut: number, bytesIn: number): void {
    this.#raw.out += bytesOut;
    this.#raw.in += bytesIn;
  }

  get isDenied(): boolean {
    return this.verdict.decision.action === 'deny';
  }

  /** Ends the connection upstream and writes the close record, once. */
  close(end: FlowEnd, dialFailure: DialFailure | null = null): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.upstream.destroy();
    this.#record.closed(end, this.#bytes(), dialFailure);
  }

  #bytes(): RelayedBytes {
    const { out, in: back } = this.upstream.count();
    return { out: out + this.#raw.out, in: back + this.#raw.in };
  }
}
