import type { Socket } from 'node:net';
import type { RelaySettings } from '../data-plane.ts';
import type { Attempt, Connect } from '../dial.ts';
import type { Listener } from '../listener.ts';
import type { Client, Endpoint } from '../wire.ts';
import type { FlowSettings, World } from '../world.ts';

/** A connection attempt over `node:net`. Once settled without failure, `socket` is connected and the taker's. */
export interface SocketAttempt extends Attempt {
  readonly socket: Socket;
}

/** Everything outside the plain HTTP flows that they depend on. */
export interface HttpWorld extends World {
  readonly settings: FlowSettings & RelaySettings;
  /** Signs refusals; without control characters and quotes. */
  readonly gateway: string;
  /** How upstreams are connected to for a client: from its own address, where its listener says so. */
  connectFor(origin: HttpOrigin): Connect<SocketAttempt>;
  /** Counts bytes as they move: to upstreams and from them. */
  moved(bytesOut: number, bytesIn: number): void;
}

/** Where a client comes from, and where it was going. */
export interface HttpOrigin {
  readonly listener: Listener;
  readonly client: Client;
  /** On a transparent listener; null elsewhere. */
  readonly originalDestination: Endpoint | null;
}
