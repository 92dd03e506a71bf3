import type { EventLoop } from '../../src/dataplane/epoll/loop.ts';
import { FlowMaker } from './flow-maker.ts';
import { Latencies } from './latencies.ts';
import type { FlowsResult, LoadOrder } from './orders.ts';

/** Runs short flows, so many at a time, to the end of the last. */
export function runClosedLoop(
  loop: EventLoop,
  { target, flows, concurrency }: Extract<LoadOrder, { type: 'closed' }>,
): FlowsResult {
  const latencies = new Latencies(flows);
  let [ended, failed] = [0, 0];
  const next = () => {
    ended++;
    if (maker.started < flows) maker.start();
  };
  const maker = new FlowMaker(loop, target, {
    answering: ({ dueMs }) => latencies.add((performance.now() - dueMs) * 1000),
    answered: (_flow, socket) => {
      socket.close();
      next();
    },
    failed: () => {
      failed++;
      next();
    },
  });
  const begunMs = performance.now();
  for (let i = 0; i < Math.min(concurrency, flows); i++) maker.start();
  while (ended < flows) loop.turn();
  const seconds = (performance.now() - begunMs) / 1000;
  return { flows, failed, seconds, latencyUs: latencies.summary() };
}
