import type { EventLoop } from '../../src/dataplane/epoll/loop.ts';
import { FlowMaker } from './flow-maker.ts';
import type { Target } from './orders.ts';

const TIMEOUT_MS = 1_000;

/** Sends one short flow and says whether it was answered in time. */
export function isAnswered(loop: EventLoop, target: Target): boolean {
  const outcome: { answered: boolean | null } = { answered: null };
  const settle = (answered: boolean) => {
    outcome.answered ??= answered;
  };
  const maker = new FlowMaker(loop, target, {
    answering: () => {},
    answered: (_flow, socket) => {
      socket.close();
      settle(true);
    },
    failed: () => settle(false),
  });
  const timer = loop.timers.after(TIMEOUT_MS, () => settle(false));
  maker.start();
  while (outcome.answered === null) loop.turn();
  timer.cancel();
  return outcome.answered;
}
