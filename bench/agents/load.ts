import { loadFfi } from '../../src/dataplane/epoll/libc.ts';
import { EventLoop } from '../../src/dataplane/epoll/loop.ts';
import { runBulk } from '../load/bulk.ts';
import { runClosedLoop } from '../load/closed-loop.ts';
import { HeldFlows } from '../load/held-flows.ts';
import { runOpenLoop } from '../load/open-loop.ts';
import type { FlowsResult, LoadOrder, LoadReport } from '../load/orders.ts';
import { isAnswered } from '../load/probe.ts';

// The client of every run: takes one order after the other, and works in its own event loop until each is done.
const loop = new EventLoop(loadFfi());
const held = new HeldFlows(loop);

process.on('message', (order: LoadOrder) => {
  let report: LoadReport;
  try {
    report = obey(order);
  } catch (error) {
    report = { type: 'failed', message: String(error) };
  }
  process.send?.(report);
});
process.on('disconnect', () => process.exit());

function obey(order: LoadOrder): LoadReport {
  switch (order.type) {
    case 'closed':
      return flows(runClosedLoop(loop, order));
    case 'open':
      return flows(runOpenLoop(loop, order));
    case 'bulk':
      return { type: 'bulk', result: runBulk(loop, order) };
    case 'probe':
      return { type: 'probed', isAnswered: isAnswered(loop, order.target) };
    case 'hold':
      return flows(held.open(order));
    case 'release':
      held.release();
      return { type: 'released' };
    default:
      throw new Error(`unknown order ${JSON.stringify(order satisfies never)}`);
  }
}

function flows(result: FlowsResult): LoadReport {
  return { type: 'flows', result };
}
