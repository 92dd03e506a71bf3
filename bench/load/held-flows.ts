import type { EventLoop } from '../../src/dataplane/epoll/loop.ts';
import type { Socket } from '../../src/dataplane/epoll/socket.ts';
import { FlowMaker } from './flow-maker.ts';
import { Latencies } from './latencies.ts';
import type { FlowsResult, LoadOrder } from './orders.ts';

const CONCURRENCY = 32;

/** Flows that are opened up to their answers and then say nothing more. */
export class HeldFlows {
  readonly #loop: EventLoop;
  #sockets: Socket[] = [];

  constructor(loop: EventLoop) {
    this.#loop = loop;
  }

  open({ target, flows }: Extract<LoadOrder, { type: 'hold' }>): FlowsResult {
    const latencies = new Latencies(flows);
    let [ended, failed] = [0, 0];
    const next = () => {
      ended++;
      if (maker.started < flows) maker.start();
    };
    const maker = new FlowMaker(this.#loop, target, {
      answering: ({ dueMs }) => latencies.add((performance.now() - dueMs) * 1000),
      answered: (_flow, socket) => {
        socket.owner = null;
        this.#sockets.push(socket);
        next();
      },
      failed: () => {
        failed++;
        next();
      },
    });
    const begunMs = performance.now();
    for (let i = 0; i < Math.min(CONCURRENCY, flows); i++) maker.start();
    while (ended < flows) this.#loop.turn();
    return { flows, failed, seconds: (performance.now() - begunMs) / 1000, latencyUs: latencies.summary() };
  }

  release(): void {
    for (const socket of this.#sockets) socket.close();
    this.#sockets = [];
    // The turn that closes them must not wait for an event.
    this.#loop.soon(() => {});
    this.#loop.turn();
  }
}
