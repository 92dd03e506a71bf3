import type { IpAddress } from '../policy/address.ts';
import type { Attempt } from './dial.ts';
import type { DialFailure, FlowEnd } from './events.ts';
import type { RelayWatch } from './tls-watch.ts';

export interface Endpoint {
  readonly ip: IpAddress;
  readonly port: number;
}

/** Who a flow is from: the connection's peer, or whom a trusted peer speaks for in a PROXY protocol header. */
export interface Client extends Endpoint {
  /** The VPC endpoint (AWS PrivateLink) that it came through, as the header says; absent for none. */
  readonly vpcEndpoint?: string;
}

/** Whoever hears what the client of a wire does. */
export interface WireUser {
  /** Whether the client's bytes are wanted now. Otherwise they stay in the kernel. */
  readonly wantsBytes: boolean;
  /** Bytes from the client, while they are wanted. `chunk` is only valid during the call. */
  clientBytes(chunk: Uint8Array): void;
  /** The client's FIN, while bytes are wanted. */
  clientEnded(): void;
  /** The client's reset, before the relay. */
  clientReset(): void;
  /** Ends the flow from outside, before the relay. */
  abandon(end: FlowEnd): void;
}

/**
 * What a data plane does for one flow: the flow decides, the wire acts. While the flow wants bytes, the wire reads the
 * client and hands over what comes; before the relay it sends upstream nothing at all.
 */
export interface Wire<A extends Attempt> {
  readonly client: Client;
  /** Where the client was going, on a transparent listener; null elsewhere, and where it came to us directly. */
  readonly originalDestination: Endpoint | null;
  /** Bytes relayed so far. */
  readonly relayed: RelayedBytes;
  /** Starts to connect to an upstream: see `Connect`. `sendsFirst`: there are bytes to send as soon as it is connected. */
  connect(ip: IpAddress, port: number, settle: (failure: DialFailure | null) => void, sendsFirst: boolean): A;
  /**
   * Sends `request` to a connected upstream and hands on the first that it says: a byte or two, and what else there is
   * stays to be relayed. Null when it ends or fails instead. Calls `answered` once, never before it returns, and not after
   * the attempt was aborted or the question stopped. Returns how to stop it: the upstream can be relayed then.
   */
  ask(upstream: A, request: Uint8Array, answered: (answer: Uint8Array | null) => void): () => void;
  /** The flow wants the client's bytes again. */
  readOn(): void;
  /** Sends a short answer to the client. */
  reply(bytes: Uint8Array): void;
  /**
   * Hands the flow to the relay for good: `upstream` is connected, `head` goes first. The wire closes both sides and
   * calls `done` once.
   */
  relay(upstream: A, head: Uint8Array, watch: RelayWatch | null, done: (end: FlowEnd) => void): void;
  /**
   * Hands plain HTTP over for good, to be served request by request with records of its own: `opening` is what the client
   * has said. Calls `done` once, when the last record is written.
   */
  handOver(opening: Uint8Array, done: () => void): void;
  /** Ends the client's side after `farewell`, which may be empty, with a FIN. */
  hangUp(farewell: Uint8Array): void;
  /** Ends the client's side with a reset. */
  reset(): void;
}

/** `out` to the upstream, `in` to the client. */
export interface RelayedBytes {
  readonly out: number;
  readonly in: number;
}
