import type { EventLoop } from '../../src/dataplane/epoll/loop.ts';
import { arrivalTimes } from './arrivals.ts';
import { FlowMaker } from './flow-maker.ts';
import { Latencies } from './latencies.ts';
import type { FlowsResult, LoadOrder } from './orders.ts';
import { PreciseTimer } from './precise-timer.ts';

/** More flows than these at a time means that the proxy cannot keep up: what comes on top fails. */
const MAX_OPEN = 8_000;
/** What has no answer so long after the last start never will. */
const GRACE_MS = 5_000;

/**
 * Starts short flows by a schedule. A latency counts from the scheduled start, so that neither a proxy that falls
 * behind nor this generator can hide a wait (coordinated omission).
 */
export function runOpenLoop(
  loop: EventLoop,
  { target, flowsPerSecond, seconds, leadSeconds = 0 }: Extract<LoadOrder, { type: 'open' }>,
): FlowsResult {
  const times = arrivalTimes(flowsPerSecond, leadSeconds + seconds);
  const latencies = new Latencies(times.length);
  let [arrived, ended, failed, open] = [0, 0, 0, 0];
  const end = () => {
    ended++;
    open--;
  };
  const maker = new FlowMaker(loop, target, {
    answering: ({ dueMs }) => {
      if (dueMs >= countedMs) latencies.add((performance.now() - dueMs) * 1000);
    },
    answered: (_flow, socket) => {
      socket.close();
      end();
    },
    failed: () => {
      failed++;
      end();
    },
  });
  const begunMs = performance.now();
  const countedMs = begunMs + 1000 * leadSeconds;
  const startDue = () => {
    const elapsedMs = performance.now() - begunMs;
    for (; (times[arrived] ?? Number.POSITIVE_INFINITY) <= elapsedMs; arrived++) {
      open++;
      if (open <= MAX_OPEN) {
        maker.start(begunMs + (times[arrived] ?? 0));
      } else {
        failed++;
        end();
      }
    }
    const next = times[arrived];
    if (next !== undefined) timer.after(next - (performance.now() - begunMs));
  };
  const timer = new PreciseTimer(loop, startDue);
  startDue();
  const lastMs = begunMs + (times.at(-1) ?? 0);
  // Wakes a loop in which no event is left to come.
  const wake = loop.timers.after(lastMs - begunMs + GRACE_MS, () => {});
  while (ended < times.length && performance.now() < lastMs + GRACE_MS) loop.turn();
  wake.cancel();
  timer.close();
  const took = (performance.now() - begunMs) / 1000;
  return {
    flows: times.length,
    failed: failed + (times.length - ended),
    seconds: took,
    latencyUs: latencies.summary(),
  };
}
