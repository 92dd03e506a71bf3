import { connect, type Socket } from 'node:net';
import { benchHello, encodeCommand } from './conversation.ts';

export interface Attack {
  readonly kind: AttackKind;
  readonly port: number;
  /** Connections at a time. */
  readonly connections: number;
  /** Addresses of this host that they come from, in turn. */
  readonly sources: number;
}

/** Each does its worst with one connection. */
const ATTACKS = {
  /** A byte of a hello a second. */
  slowHeads: (socket: Socket) => {
    const hello = benchHello();
    let at = 0;
    const drip = setInterval(() => socket.write(hello.subarray(at, ++at)), 1_000);
    socket.once('close', () => clearInterval(drip));
  },
  /** Not a byte. */
  silence: (_socket: Socket) => {},
  /** A name that nobody allows, another each time. */
  randomNames: (socket: Socket) => {
    socket.end(benchHello(`${Math.random().toString(36).slice(2)}.example`));
  },
  /** Asks for 64 MiB and reads none of it. */
  neverReads: (socket: Socket) => {
    socket.pause();
    socket.write(Buffer.concat([benchHello(), encodeCommand({ direction: 'down', mib: 64 })]));
  },
  /** Resets at once, in the middle of a hello, or while it is served. */
  resets: (socket: Socket) => {
    const state = Math.random();
    const hello = benchHello();
    if (state > 0.3) socket.write(state > 0.6 ? hello : hello.subarray(0, 200));
    setTimeout(() => socket.resetAndDestroy(), Math.random() * 20);
  },
} as const satisfies Record<string, (socket: Socket) => void>;

export type AttackKind = keyof typeof ATTACKS;

/** A closed connection is replaced after about so long. At once, the attacker would have the load's core for itself. */
const AGAIN_MS = { slowHeads: 5_000, silence: 5_000, randomNames: 0, neverReads: 1_000, resets: 50 } as const;

/** Connections come up over so long. */
export const RAMP_MS = 5_000;

/** Keeps up `connections` until the process ends. Returns how many were made so far. */
export function attack({ kind, port, connections, sources }: Attack): () => number {
  let made = 0;
  const next = () => {
    const source = made++ % sources;
    const socket = connect({
      host: '127.0.0.1',
      port,
      localAddress: `127.1.${source >> 8}.${(source & 255) + 1}`,
      allowHalfOpen: true,
    });
    socket.on('error', () => {});
    socket.on('end', () => socket.destroy());
    socket.once('connect', () => ATTACKS[kind](socket));
    socket.once('close', () => setTimeout(next, AGAIN_MS[kind] * (0.5 + Math.random())));
    if (kind !== 'neverReads') socket.resume();
  };
  for (let i = 0; i < connections; i++) setTimeout(next, Math.random() * RAMP_MS);
  return () => made;
}
