import type { IpAddress } from '../policy/address.ts';
import { clientHeader } from './client-header.ts';
import { type Attempt, Dial } from './dial.ts';
import type { DialFailure } from './events.ts';
import type { FlowRecorder } from './flow-recorder.ts';
import type { Listener } from './listener.ts';
import type { Wire } from './wire.ts';
import type { World } from './world.ts';

/** The way of one flow to its upstream before the relay. Owns what is connected, or connecting, until `take`. */
export class Reach<A extends Attempt> {
  readonly #listener: Listener;
  readonly #wire: Wire<A>;
  readonly #world: World;
  readonly #record: FlowRecorder;
  #upstream: A | null = null;
  /** Under way. Held as an object: functions that stop it would tie flows to one another for the garbage collector. */
  #dial: Dial<A> | null = null;
  #stopAsking: (() => void) | null = null;
  /** The upstream was told whom the flow is from, where it is to be told. */
  #isTold = false;

  /** `record` is told when it is dialled, and where that led. */
  constructor(listener: Listener, wire: Wire<A>, world: World, record: FlowRecorder) {
    this.#listener = listener;
    this.#wire = wire;
    this.#world = world;
    this.#record = record;
  }

  get isConnected(): boolean {
    return this.#upstream !== null;
  }

  /** Dials `addresses`, in order of preference and not empty. `sendsFirst`: see `Wire.connect`. Calls `done` unless aborted. */
  dial(
    addresses: readonly IpAddress[],
    sendsFirst: boolean,
    done: (failure: DialFailure | null) => void,
  ): void {
    const { timers, settings } = this.#world;
    const isFirst = sendsFirst || this.#listener.sendProxyProtocol !== undefined;
    this.#record.dialing();
    this.#dial = new Dial<A>({
      addresses,
      port: this.#record.dstPort,
      connect: (ip, port, settle) => this.#wire.connect(ip, port, settle, isFirst),
      timers,
      timeoutMs: settings.dialTimeoutMs,
      done: outcome => {
        this.#dial = null;
        if (!outcome.ok) return done(outcome.failure);
        this.#upstream = outcome.attempt;
        this.#isTold = false;
        this.#record.dialed(outcome.ip);
        done(null);
      },
    });
  }

  /** Asks the connected upstream: see `Wire.ask`. Null also when no answer comes within the time of a dial. */
  ask(request: Uint8Array, answered: (answer: Uint8Array | null) => void): void {
    const { timers, settings } = this.#world;
    const deadline = timers.after(settings.dialTimeoutMs, () => {
      this.#stopAsking?.();
      answered(null);
    });
    const stop = this.#wire.ask(this.#connected, this.firstBytes(request), answer => {
      this.#stopAsking?.();
      answered(answer);
    });
    this.#stopAsking = () => {
      this.#stopAsking = null;
      deadline.cancel();
      stop();
    };
  }

  /** What is to be sent for `bytes`: to an upstream that has got nothing yet, the listener may tell whom the flow is from. */
  firstBytes(bytes: Uint8Array): Uint8Array {
    if (this.#isTold || this.#listener.sendProxyProtocol === undefined) return bytes;
    this.#isTold = true;
    const { dstIp: ip, dstPort: port } = this.#record;
    const dialled = ip === null ? null : { ip, port };
    const destination = this.#wire.originalDestination ?? dialled;
    if (destination === null) return bytes;
    return Buffer.concat([clientHeader(this.#listener, this.#wire.client, destination), bytes]);
  }

  /** Gives the connected upstream up to whoever relays it. */
  take(): A {
    const upstream = this.#connected;
    this.#upstream = null;
    return upstream;
  }

  /** Ends what is connected or under way; nothing is called any more. */
  abort(): void {
    this.#dial?.cancel();
    this.#dial = null;
    this.#stopAsking?.();
    this.#upstream?.abort();
    this.#upstream = null;
  }

  get #connected(): A {
    if (this.#upstream === null) throw new Error('there is no upstream before one is connected');
    return this.#upstream;
  }
}
