import type { EventLoop } from '../../src/dataplane/epoll/loop.ts';
import { IpAddress } from '../../src/policy/address.ts';
import { connectRequest } from './conversation.ts';
import type { Target } from './orders.ts';
import { type FlowKeeper, ShortFlow } from './short-flow.ts';

/** Starts short flows to one target, over its addresses in turn. */
export class FlowMaker {
  readonly #keeper: FlowKeeper;
  readonly #ips: readonly IpAddress[];
  readonly #port: number;
  #started = 0;

  constructor(loop: EventLoop, target: Target, events: Omit<FlowKeeper, 'loop' | 'request'>) {
    const request = target.connectTo === null ? null : connectRequest(target.connectTo);
    this.#keeper = { ...events, loop, request };
    this.#ips = target.hosts.map(parseIp);
    this.#port = target.port;
  }

  get started(): number {
    return this.#started;
  }

  start(dueMs = performance.now()): void {
    const ip = this.#ips[this.#started++ % this.#ips.length];
    if (ip !== undefined) new ShortFlow(this.#keeper, ip, this.#port, dueMs);
  }
}

function parseIp(text: string): IpAddress {
  const ip = IpAddress.parse(text);
  if (ip === null) throw new Error(`${text} is no address`);
  return ip;
}
