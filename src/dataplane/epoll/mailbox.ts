import type { IpAddress } from '../../policy/address.ts';
import type { Hostname } from '../../policy/hostname.ts';
import type { Resolution, Resolver } from '../../resolve/resolver.ts';
import type { DescriptorReport } from '../descriptors.ts';
import type { EventHandler, EventLoop } from './loop.ts';
import { type FromWorker, fromPlain, type PlainConnection, type ToWorker } from './messages.ts';

/** The two directions of a message channel that is polled, not listened to. */
export interface MessagePipe<R> {
  receive(): ToWorker | undefined;
  send(message: FromWorker<R>): void;
}

/** What the main thread can ask of a worker. */
export interface Orders {
  policy(buffer: SharedArrayBuffer): void;
  tcpAddresses(buffer: SharedArrayBuffer): void;
  drain(hasSuccessor: boolean): void;
  abandon(): void;
}

/** A worker's line to the main thread: takes orders, asks for names to be resolved, hands reports over. */
export class Mailbox<R> implements EventHandler, Resolver {
  readonly #loop: EventLoop;
  readonly #wakeFd: number;
  readonly #pipe: MessagePipe<R>;
  readonly #orders: Orders;
  readonly #eventfdValue = Buffer.alloc(8);
  readonly #questions = new Map<number, (resolution: Resolution) => void>();
  #nextQuestion = 0;
  readonly #handedOver = new Map<number, () => void>();
  #nextHandedOver = 0;

  constructor(loop: EventLoop, wakeFd: number, pipe: MessagePipe<R>, orders: Orders) {
    this.#loop = loop;
    this.#wakeFd = wakeFd;
    this.#pipe = pipe;
    this.#orders = orders;
    loop.watchReadable(wakeFd, this);
  }

  ready(): void {
    this.#loop.ffi.libc.read(this.#wakeFd, this.#eventfdValue, this.#eventfdValue.length);
    for (let message = this.#pipe.receive(); message !== undefined; message = this.#pipe.receive()) {
      this.#obey(message);
    }
  }

  resolve(hostname: Hostname, done: (resolution: Resolution) => void, source?: IpAddress): void {
    const id = this.#nextQuestion++;
    this.#questions.set(id, done);
    this.#pipe.send({ type: 'resolve', id, hostname, source: source?.words ?? null });
  }

  /** Calls `done` when the main thread says that the flow is over. */
  handOver(connection: PlainConnection, done: () => void): void {
    const id = this.#nextHandedOver++;
    this.#handedOver.set(id, done);
    this.#pipe.send({ type: 'http', id, connection });
  }

  /** The first message: the loop is set up. */
  serving(): void {
    this.#pipe.send({ type: 'serving' });
  }

  report(report: R): void {
    this.#pipe.send({ type: 'report', report });
  }

  descriptors(report: DescriptorReport): void {
    this.#pipe.send({ type: 'descriptors', report });
  }

  /** The last message: all flows have ended. */
  drained(): void {
    this.#pipe.send({ type: 'drained' });
  }

  #obey(message: ToWorker): void {
    switch (message.type) {
      case 'policy':
        return this.#orders.policy(message.buffer);
      case 'tcpAddresses':
        return this.#orders.tcpAddresses(message.buffer);
      case 'drain':
        return this.#orders.drain(message.hasSuccessor);
      case 'abandon':
        return this.#orders.abandon();
      case 'resolved': {
        const done = this.#questions.get(message.id);
        this.#questions.delete(message.id);
        done?.(fromPlain(message.resolution, this.#loop.nowMs));
        return;
      }
      case 'http-over': {
        const done = this.#handedOver.get(message.id);
        this.#handedOver.delete(message.id);
        return done?.();
      }
      default:
        message satisfies never;
    }
  }
}
